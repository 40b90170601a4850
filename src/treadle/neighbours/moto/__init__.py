"""The embedded neighbour: moto, the emulator of AWS's services, in a process of its own.

Two processes share this package, and no module of it is for both but `control`:

- **In the server**: `emulator` starts the process, sends it requests and takes over one that a dead server left
  behind; `link` is the server's end of the connection.
- **In moto's process**: `process` is its beginning, `owner` its end of the connection, and `callback` how it reaches
  Treadle's functions and machines. `corrections` is the table of what is put right in moto, a module per service;
  `destinations` is what several of them send to. `stacks/` carries out CloudFormation's stacks.

Modules of moto's process import moto late, when its service is first asked for: each takes a while.
"""

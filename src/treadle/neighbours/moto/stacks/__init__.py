"""Stacks of CloudFormation, within moto's process: moto's own, but made, changed and taken back as on AWS.

`cloudformation` carries a stack out, in the background; `templates` prepares one; `parsing` stands in for moto's parser
wherever a resource is in the tables of `resources`, which is put together from `functions`, `machines` and
`custom_resources`. `shapes` is what all of these share.
"""

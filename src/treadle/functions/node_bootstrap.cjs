/* The first thing a worker of a Node.js function runs: loads the handler and speaks the Runtime API.
 *
 * Started as `node node_bootstrap.cjs HANDLER`. It behaves as AWS's runtime does (the Lambda developer guide's pages on
 * Node.js, and the behaviour of aws-lambda-nodejs-runtime-interface-client).
 *
 * One invocation is answered once, by whichever comes first: the promise that the handler returned, its callback,
 * `context.succeed`, `fail` or `done`, an error that nobody caught, or the event loop running empty. A callback's result
 * waits for the event loop to run empty, unless `context.callbackWaitsForEmptyEventLoop` is false; an error does not.
 * That the loop is empty is what Node.js tells by `beforeExit`: nothing of ours keeps it alive while a handler runs
 * (idle connections of an http.Agent do not).
 *
 * CommonJS by its name, whatever package.json lies above the folder in which Treadle is installed.
 */
"use strict";

const dns = require("node:dns");
const fs = require("node:fs");
const http = require("node:http");
const Module = require("node:module");
const net = require("node:net");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const util = require("node:util");

const { ERROR_TRAILERS, STREAMS, ResponseStream, awslambda } = require("./node_response_stream.cjs");

const EXIT_UNCAUGHT = 129;
const EXIT_UNHANDLED = 128;

/** An error of the runtime's own. Its class has the name, so that its stack begins with it. */
function runtimeError(name, message) {
  class RuntimeError extends Error {}
  RuntimeError.prototype.name = `Runtime.${name}`;
  return new RuntimeError(message);
}

// -- the Runtime API --------------------------------------------------------------------------------------------------

const [authority, secret] = process.env.AWS_LAMBDA_RUNTIME_API.split("/");
const colon = authority.lastIndexOf(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function requestOf(method, place, headers) {
  return http.request({
    agent,
    headers,
    host: authority.slice(0, colon),
    method,
    path: `/${secret}/2018-06-01/runtime/${place}`,
    port: Number(authority.slice(colon + 1)),
  });
}

function ask(method, place, body) {
  const type = { "Content-Type": "application/json" };
  const headers = body === undefined ? {} : { ...type, "Content-Length": Buffer.byteLength(body) };
  const request = requestOf(method, place, headers);
  const answered = answerTo(request);
  request.end(body);
  return answered;
}

/** A POST whose body is written bit by bit, and the promise of its answer. */
function askStreaming(place, contentType) {
  const request = requestOf("POST", place, {
    "Content-Type": contentType,
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    Trailer: ERROR_TRAILERS,
    "Transfer-Encoding": "chunked",
  });
  request.flushHeaders();
  return { request, answered: answerTo(request) };
}

function answerTo(request) {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(parts).toString("utf8") }));
    });
  });
}

/** Without the server there is nothing to live for. */
function told(asked) {
  return asked.catch(() => process.exit(1));
}

// -- errors -----------------------------------------------------------------------------------------------------------

function isError(value) {
  const parts = [value?.name, value?.message, value?.stack];
  return util.types.isNativeError(value) || parts.every((part) => typeof part === "string" && part);
}

/** An error as Lambda reports it. */
function errorDocument(error) {
  try {
    if (isError(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: error.stack.split("\n") };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    const errorMessage =
      "callback called with Error argument, but there was a problem while retrieving " +
      "one or more of its message, name, and stack";
    return { errorType: "handled", errorMessage };
  }
}

/** An error as one line of the log: its own properties too. */
function logged(error) {
  const known = error instanceof Error ? error : new Error(error);
  const { errorType, errorMessage, trace } = errorDocument(known);
  try {
    return JSON.stringify({ errorType, errorMessage, code: known.code, ...known, stack: trace });
  } catch {
    return JSON.stringify({ errorType, errorMessage, trace });
  }
}

// -- output -----------------------------------------------------------------------------------------------------------

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
let requestId;

/** `time <tab> request id <tab> level <tab> text`; a carriage return stands for a line's end within it. */
function logText(level, ...values) {
  const line = `${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(...values)}`;
  process.stdout.write(`${line.replaceAll("\n", "\r")}\n`);
}

/** The log format JSON: a value alone stays what it is, an error among the values is told apart. */
function logJson(level, ...values) {
  const entry = { timestamp: new Date().toISOString(), level, requestId, message: values[0] };
  const isAlone = values.length === 1 && !util.types.isNativeError(values[0]);
  const error = values.find((value) => util.types.isNativeError(value));
  if (!isAlone) entry.message = util.format(...values);
  if (error !== undefined) {
    entry.errorType = error.constructor?.name ?? "UnknownError";
    entry.errorMessage = error.message;
    entry.stackTrace = typeof error.stack === "string" ? error.stack.split("\n") : [];
  }
  let line;
  try {
    line = JSON.stringify(entry);
  } catch {
    line = JSON.stringify({ ...entry, message: util.format(...values) }); // it refers to itself
  }
  process.stdout.write(`${line}\n`);
}

function patchConsole() {
  const log = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON" ? logJson : logText;
  const least = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  LEVELS.forEach((level, rank) => {
    console[level.toLowerCase()] = rank >= least ? (...values) => log(level, ...values) : () => {};
  });
  console.log = console.info;
}

// -- the handler ------------------------------------------------------------------------------------------------------

/** Whether .js files in `folder` are ES modules: the nearest package.json says so. */
function isModuleFolder(folder) {
  const file = path.join(folder, "package.json");
  if (path.basename(folder) === "node_modules") return false;
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, "utf8")).type === "module";
    } catch {
      return false;
    }
  }
  const above = path.dirname(folder);
  return above !== folder && isModuleFolder(above);
}

/** The exports of the module at `stem`, a path without its extension. */
async function exportsOf(stem, root) {
  const modules = isModuleFolder(path.dirname(stem));
  for (const [extension, isModule] of [["", false], [".js", modules], [".mjs", true], [".cjs", false]]) {
    const file = stem + extension;
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
      return isModule ? import(pathToFileURL(file).href) : require(file);
    }
  }
  return require(require.resolve(path.basename(stem), { paths: [root, path.dirname(stem)] }));
}

/** On Lambda the SDK is always there. */
function hint(error) {
  if (!/'(@aws-sdk\/|aws-sdk['/])/.test(String(error))) return "";
  return "\nTo have AWS's SDK as on Lambda, without bringing it along, run: treadle sdk";
}

async function load(root, handler) {
  if (handler.includes("..")) {
    const why = "Use absolute paths when specifying root directories in handler names.";
    throw runtimeError("MalformedHandlerName", `'${handler}' is not a valid handler name. ${why}`);
  }
  const parts = /^([^.]*)\.(.*)$/s.exec(path.basename(handler));
  if (parts === null) throw runtimeError("MalformedHandlerName", "Bad handler");
  const [, module, attributes] = parts;
  let found;
  try {
    found = await exportsOf(path.resolve(root, path.dirname(handler), module), root);
  } catch (error) {
    if (error instanceof SyntaxError) throw runtimeError("UserCodeSyntaxError", String(error));
    if (error?.code === "MODULE_NOT_FOUND") throw runtimeError("ImportModuleError", String(error) + hint(error));
    if (error?.code === "ERR_MODULE_NOT_FOUND") error.message += hint(error);
    throw error;
  }
  for (const attribute of attributes.split(".")) found = found?.[attribute];
  if (!found) throw runtimeError("HandlerNotFound", `${handler} is undefined or not exported`);
  if (typeof found !== "function") throw runtimeError("HandlerNotFound", `${handler} is not a function`);
  return found;
}

// -- one invocation ---------------------------------------------------------------------------------------------------

/** Done when the event loop has run empty; the last who asks is told. */
let onEmptyLoop = () => {};

class Invocation {
  constructor(handler, headers, next) {
    this.handler = handler;
    this.headers = headers;
    this.id = headers["lambda-runtime-aws-request-id"];
    this.next = next;
    this.settled = false;
    this.waitsForEmptyLoop = true;
  }

  run(text) {
    onEmptyLoop = () => this.ranEmpty();
    if (this.handler[STREAMS]) {
      this.runStreaming(text);
      return;
    }
    try {
      const result = this.handler(JSON.parse(text), this.context(), (error, value) => this.calledBack(error, value));
      if (typeof result?.then === "function") {
        result.then((value) => this.succeed(value), (error) => this.fail(error ?? "handled"));
      }
    } catch (error) {
      this.calledBack(error ?? "handled");
    }
  }

  /** The answer is what it writes; the invocation ends when that does, and the handler. What it returns means nothing. */
  async runStreaming(text) {
    const begin = (contentType) => askStreaming(`invocation/${this.id}/response`, contentType);
    this.stream = new ResponseStream(begin, this.handler[STREAMS]);
    this.stream.on("error", (error) => this.fail(error));
    let returned;
    const finished = new Promise((resolve) => (returned = resolve));
    this.stream.on("finish", () => {
      this.settled = true;
      onEmptyLoop = () => {};
      told(this.stream.begun.answered).then(() => finished.then(this.next));
    });
    try {
      const result = this.handler(JSON.parse(text), this.stream, this.context());
      if (typeof result?.then !== "function") {
        throw runtimeError("InvalidStreamingOperation", "Streaming does not support non-async handlers.");
      }
      await result;
    } catch (error) {
      this.fail(error ?? "handled");
    } finally {
      returned();
    }
  }

  calledBack(error, value) {
    if (this.settled) return;
    if (error !== undefined && error !== null) {
      this.fail(error);
    } else if (this.waitsForEmptyLoop) {
      this.settled = true;
      onEmptyLoop = () => this.respond(value);
    } else {
      this.succeed(value);
    }
  }

  succeed(value) {
    if (this.settled) return;
    this.settled = true;
    this.respond(value);
  }

  fail(error) {
    if (this.settled) return;
    this.settled = true;
    this.report(error);
  }

  respond(value) {
    let body;
    try {
      body = JSON.stringify(value) ?? "null";
    } catch {
      this.report(new Error("Unable to stringify response body"));
      return;
    }
    onEmptyLoop = () => {};
    told(ask("POST", `invocation/${this.id}/response`, body)).then(this.next);
  }

  report(error) {
    onEmptyLoop = () => {};
    console.error("Invoke Error", `\t${logged(error)}`);
    told(this.post(error)).then(this.next);
  }

  post(error) {
    this.stream?.destroy();
    if (this.stream?.begun) return this.stream.breakOff(errorDocument(error));
    return ask("POST", `invocation/${this.id}/error`, JSON.stringify(errorDocument(error)));
  }

  /** Nothing is left that could answer: an async function waits for ever, another has nothing to say. */
  ranEmpty() {
    if (this.handler.constructor.name !== "AsyncFunction") {
      this.succeed(null);
      return;
    }
    const why = "This is most commonly caused by a Promise that was never settled.";
    const where = "For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes";
    this.fail(
      runtimeError("NodeJsExit", `The Lambda runtime client detected an unexpected Node.js exit code. ${why} ${where}`),
    );
  }

  context() {
    const invocation = this;
    const { headers } = this;
    const { env } = process;
    const json = (text) => (text === undefined ? undefined : JSON.parse(text));
    return {
      get callbackWaitsForEmptyEventLoop() {
        return invocation.waitsForEmptyLoop;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        invocation.waitsForEmptyLoop = value;
      },
      succeed: (value) => this.succeed(value),
      fail: (error) => this.fail(error ?? "handled"),
      done: (error, value) => (error === undefined || error === null ? this.succeed(value) : this.fail(error)),
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: json(headers["lambda-runtime-client-context"]),
      identity: json(headers["lambda-runtime-cognito-identity"]),
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      awsRequestId: this.id,
      getRemainingTimeInMillis: () => Number(headers["lambda-runtime-deadline-ms"]) - Date.now(),
    };
  }
}

/** For some operations AWS's SDK puts something before the host of an endpoint: `sync-127.0.0.1`. No real name ends like
 * that, so it is this server that is meant. (boto3 is told by AWS_DISABLE_HOST_PREFIX_INJECTION, which this SDK does not
 * know.)
 */
function resolvePrefixedHosts() {
  const [, host] = /^https?:\/\/([^/:]+)/.exec(process.env.AWS_ENDPOINT_URL) ?? [];
  if (!net.isIPv4(host)) return;
  const { lookup } = dns;
  const isOurs = (name) => typeof name === "string" && [`-${host}`, `.${host}`].some((end) => name.endsWith(end));
  dns.lookup = (name, ...rest) => lookup(isOurs(name) ? host : name, ...rest);
  Object.defineProperties(dns.lookup, Object.getOwnPropertyDescriptors(lookup)); // its form with promises
}

/** Version 2 of AWS's SDK for JavaScript does not know AWS_ENDPOINT_URL: it is told as soon as it is there, as its own
 * documentation has it (`AWS.config.update`). What a handler sets afterwards counts.
 */
function tellOldSdk() {
  const load = Module._load;
  Module._load = (request, ...rest) => {
    const loaded = load(request, ...rest);
    if (/^aws-sdk(\/|$)/.test(request)) {
      Module._load = load;
      const endpoint = process.env.AWS_ENDPOINT_URL;
      load("aws-sdk/global", ...rest).config.update({ endpoint, hostPrefixEnabled: false, s3ForcePathStyle: true });
    }
    return loaded;
  };
}

/** `import` does not look into the folders of NODE_PATH, where layers and AWS's SDK are; on Lambda it does. (Node.js 22.15
 * and later; before that there is no such hook.)
 */
function importFromNodePath() {
  const places = (process.env.NODE_PATH ?? "").split(path.delimiter);
  const folders = places.filter((place) => path.basename(place) === "node_modules");
  if (folders.length === 0) return;
  const resolve = (specifier, context, next) => {
    try {
      return next(specifier, context);
    } catch (error) {
      if (error?.code !== "ERR_MODULE_NOT_FOUND" || /^([./]|\w+:)/.test(specifier)) throw error;
      for (const folder of folders) {
        try {
          return next(specifier, { ...context, parentURL: pathToFileURL(path.join(folder, "..", "x.js")).href });
        } catch (other) {
          if (other?.code !== "ERR_MODULE_NOT_FOUND") throw other;
        }
      }
      throw error;
    }
  };
  Module.registerHooks?.({ resolve });
}

// -- the worker's life ------------------------------------------------------------------------------------------------

/** How an error that nobody caught is told to the server: before the first invocation, or within one. */
let uncaught = (error) => ask("POST", "init/error", JSON.stringify(errorDocument(error)));

async function dieOf(error, what, exitCode) {
  console.error(what, `\t${logged(error)}`);
  await told(uncaught(error));
  process.exit(exitCode);
}

async function next(handler) {
  const { headers, text } = await told(ask("GET", "invocation/next"));
  const invocation = new Invocation(handler, headers, () => setImmediate(next, handler));
  requestId = invocation.id;
  uncaught = (error) => invocation.post(error);
  const trace = headers["lambda-runtime-trace-id"];
  if (trace === undefined) delete process.env._X_AMZN_TRACE_ID;
  else process.env._X_AMZN_TRACE_ID = trace;
  setImmediate(() => invocation.run(text)); // an error that it throws later is no rejection of ours
}

function main() {
  globalThis.awslambda = awslambda;
  patchConsole();
  resolvePrefixedHosts();
  tellOldSdk();
  importFromNodePath();
  process.on("uncaughtException", (error) => dieOf(error, "Uncaught Exception", EXIT_UNCAUGHT));
  process.on("unhandledRejection", (reason) =>
    dieOf(runtimeError("UnhandledPromiseRejection", String(reason)), "Unhandled Promise Rejection", EXIT_UNHANDLED),
  );
  process.on("beforeExit", () => {
    const told = onEmptyLoop;
    onEmptyLoop = () => {};
    told();
  });
  const [, , name] = process.argv;
  load(process.env.LAMBDA_TASK_ROOT, name).then(
    (handler) => next(handler),
    (error) => dieOf(error, "Uncaught Exception", EXIT_UNCAUGHT),
  );
}

main();

/* Response streaming for handlers in Node.js: the stream that a handler writes to, and the global `awslambda`.
 *
 * A handler streams if it was wrapped by `awslambda.streamifyResponse`; it gets the stream as its second argument. The
 * response begins with the first bytes, or with the end; until then an error is an error like any other, and after it
 * stands in trailers behind what was written. Backpressure comes from the server: it reads as fast as whoever asked.
 */
"use strict";

const { Writable } = require("node:stream");

const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";
const METADATA_TYPE = "application/vnd.awslambda.http-integration-response";
const METADATA_END = Buffer.alloc(8);

/** A handler that streams has it; its value are the options of the stream. */
const STREAMS = Symbol("streams its response");

class ResponseStream extends Writable {
  /** `begin` makes the request of a content type, as { request, answered }. */
  constructor(begin, options) {
    super(options);
    this.askFor = begin;
    this.contentType = "application/octet-stream";
    this.prelude = null;
    this.begun = null;
  }

  setContentType(contentType) {
    if (this.begun) {
      const error = new Error("Cannot set content-type, too late.");
      error.name = "InvalidStreamingOperation";
      throw error;
    }
    this.contentType = contentType;
  }

  begin() {
    if (!this.begun) {
      this.begun = this.askFor(this.contentType);
      if (this.prelude) this.begun.request.write(this.prelude);
    }
    return this.begun;
  }

  _write(piece, _encoding, written) {
    const { request } = this.begin();
    if (request.write(piece)) written();
    else request.once("drain", () => written());
  }

  _final(ended) {
    this.begin().request.end();
    ended();
  }

  /** An error after the response has begun. Gives the promise of the server's answer. */
  breakOff(document) {
    const { request, answered } = this.begin();
    const body = Buffer.from(JSON.stringify(document)).toString("base64");
    request.addTrailers({ [ERROR_TYPE]: document.errorType, [ERROR_BODY]: body });
    request.end();
    return answered;
  }
}

const awslambda = {
  /** `awslambda.HttpResponseStream.from(stream, { statusCode, headers, cookies })`, for function URLs. */
  HttpResponseStream: class HttpResponseStream {
    static from(stream, metadata) {
      stream.setContentType(METADATA_TYPE);
      stream.prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), METADATA_END]);
      return stream;
    }
  },

  streamifyResponse(handler, options) {
    handler[STREAMS] = options?.highWaterMark ? { highWaterMark: Number(options.highWaterMark) } : {};
    return handler;
  },
};

module.exports = { ERROR_TRAILERS: `${ERROR_TYPE}, ${ERROR_BODY}`, ResponseStream, STREAMS, awslambda };

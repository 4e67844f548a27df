// The service that Restate calls: a handler of ten steps that do nothing and return 1 KiB each. It is reached over HTTP/2 on
// loopback alone. Usage: node service.mjs PORT

import http2 from "node:http2";

import "./node20.mjs";

import * as restate from "@restatedev/restate-sdk";

const STEPS = 10;
const BYTES = 1024;

const steps = restate.service({
  name: "steps",
  handlers: {
    run: async (context) => {
      let bytes = 0;
      for (let step = 0; step < STEPS; step += 1) {
        const text = await context.run("step", () => "x".repeat(BYTES));
        bytes += text.length;
      }
      return bytes;
    },
  },
});

const server = http2.createServer(restate.createEndpointHandler({ services: [steps] }));
server.listen(Number(process.argv[2]), "127.0.0.1");

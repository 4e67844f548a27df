// A server with everything that the public conformance suite of MCP asks for by name. Over its standard streams, or with a
// port on loopback as its argument over streamable HTTP.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as types from "@modelcontextprotocol/sdk/types.js";

// One red pixel, and a sound of no length.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

const text = (words) => ({ type: "text", text: words });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const resource = (uri, mimeType, words) => ({ type: "resource", resource: { uri, mimeType, text: words } });
const elicited = ({ action, content }) =>
  text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);

const NOTHING = { type: "object", properties: {} };
const texts = (...names) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
});
const titled = (word) => ["First", "Second", "Third"].map((n, i) => ({ const: `value${i + 1}`, title: `${n} ${word}` }));
const options = ["option1", "option2", "option3"];

// Each tool: what it takes, and what it does with the request's `extra` of the SDK.
const TOOLS = {
  test_simple_text: [NOTHING, () => [text("This is a simple text response for testing.")]],
  test_image_content: [NOTHING, () => [image]],
  test_audio_content: [NOTHING, () => [{ type: "audio", data: WAV, mimeType: "audio/wav" }]],
  test_embedded_resource: [
    NOTHING,
    () => [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  ],
  test_multiple_content_types: [
    NOTHING,
    () => [
      text("Multiple content types test:"),
      image,
      resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  ],
  test_tool_with_logging: [
    NOTHING,
    async (_, extra) => {
      for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
        await extra.sendNotification({ method: "notifications/message", params: { level: "info", data } });
        await sleep(50);
      }
      return [text("logged")];
    },
  ],
  test_error_handling: [
    NOTHING,
    () => {
      throw new Error("This tool intentionally returns an error for testing");
    },
  ],
  test_tool_with_progress: [
    NOTHING,
    async (_, extra) => {
      const progressToken = extra._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          const params = { progressToken, progress, total: 100 };
          await extra.sendNotification({ method: "notifications/progress", params });
        }
        await sleep(50);
      }
      return [text("done")];
    },
  ],
  test_sampling: [
    texts("prompt"),
    async ({ prompt }, extra) => {
      const messages = [{ role: "user", content: text(prompt) }];
      const request = { method: "sampling/createMessage", params: { messages, maxTokens: 100 } };
      const { content } = await extra.sendRequest(request, types.CreateMessageResultSchema);
      return [text(`LLM response: ${content.text}`)];
    },
  ],
  test_elicitation: [
    texts("message"),
    async ({ message }, extra) => {
      const params = { message, requestedSchema: texts("username", "email") };
      const { action, content } = await extra.sendRequest({ method: "elicitation/create", params }, types.ElicitResultSchema);
      return [text(`User response: <action: ${action}, content: ${JSON.stringify(content)}>`)];
    },
  ],
  test_elicitation_sep1034_defaults: [
    NOTHING,
    async (_, extra) => {
      const properties = {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      };
      const params = { message: "Defaults?", requestedSchema: { type: "object", properties, required: [] } };
      return [elicited(await extra.sendRequest({ method: "elicitation/create", params }, types.ElicitResultSchema))];
    },
  ],
  test_elicitation_sep1330_enums: [
    NOTHING,
    async (_, extra) => {
      const properties = {
        untitledSingle: { type: "string", enum: options },
        titledSingle: { type: "string", oneOf: titled("Option") },
        legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
        untitledMulti: { type: "array", items: { type: "string", enum: options } },
        titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
      };
      const params = { message: "Which?", requestedSchema: { type: "object", properties, required: [] } };
      return [elicited(await extra.sendRequest({ method: "elicitation/create", params }, types.ElicitResultSchema))];
    },
  ],
  json_schema_2020_12_tool: [
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: { address: { type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
      properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
      additionalProperties: false,
    },
    () => [text("ok")],
  ],
  test_reconnection: [
    NOTHING,
    async (_, extra) => {
      await sleep(100);
      extra.closeSSEStream?.();
      await sleep(100);
      return [text("Reconnection test completed successfully")];
    },
  ],
};

const RESOURCES = {
  "test://static-text": { mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { mimeType: "image/png", blob: PNG },
  "test://watched-resource": { mimeType: "text/plain", text: "Watched resource content" },
};

const said = (...contents) => ({ messages: contents.map((content) => ({ role: "user", content })) });
const PROMPTS = {
  test_simple_prompt: [[], () => said(text("This is a simple prompt for testing."))],
  test_prompt_with_arguments: [
    ["arg1", "arg2"],
    ({ arg1, arg2 }) => said(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  ],
  test_prompt_with_embedded_resource: [
    ["resourceUri"],
    ({ resourceUri }) =>
      said(resource(resourceUri, "text/plain", "Embedded resource content for testing."), text("Please process it.")),
  ],
  test_prompt_with_image: [[], () => said(image, text("Please analyze the image above."))],
};

function server() {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  };
  const made = new Server({ name: "conformance", version: "1.0.0" }, { capabilities });
  const on = (schema, answer) => made.setRequestHandler(schema, answer);
  on(types.ListToolsRequestSchema, () => ({
    tools: Object.entries(TOOLS).map(([name, [inputSchema]]) => ({ name, description: `The fixture ${name}.`, inputSchema })),
  }));
  on(types.CallToolRequestSchema, async ({ params }, extra) => {
    const tool = TOOLS[params.name];
    if (!tool) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
    try {
      return { content: await tool[1](params.arguments ?? {}, extra) };
    } catch (error) {
      return { content: [text(error.message)], isError: true };
    }
  });
  on(types.ListResourcesRequestSchema, () => ({
    resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri, mimeType })),
  }));
  on(types.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }],
  }));
  on(types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    const content = id
      ? { mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }
      : RESOURCES[uri];
    if (!content) throw new types.McpError(-32002, `Resource not found: ${uri}`);
    return { contents: [{ uri, ...content }] };
  });
  on(types.SubscribeRequestSchema, () => ({}));
  on(types.UnsubscribeRequestSchema, () => ({}));
  on(types.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, [names]]) => ({
      name,
      description: `The fixture ${name}.`,
      arguments: names.map((argument) => ({ name: argument, required: true })),
    })),
  }));
  on(types.GetPromptRequestSchema, ({ params }) => PROMPTS[params.name][1](params.arguments ?? {}));
  on(types.CompleteRequestSchema, () => ({ completion: { values: ["paris", "park"], total: 2, hasMore: false } }));
  on(types.SetLevelRequestSchema, () => ({}));
  return made;
}

// Events of streams, so that one which broke off can be gone on with.
function eventStore() {
  const events = new Map();
  return {
    async storeEvent(streamId, message) {
      const id = `${streamId}_${events.size}`;
      events.set(id, { streamId, message });
      return id;
    },
    async getStreamIdForEventId(id) {
      return events.get(id)?.streamId;
    },
    async replayEventsAfter(last, { send }) {
      const streamId = events.get(last)?.streamId ?? "";
      let isAfter = false;
      for (const [id, event] of events) {
        if (isAfter && event.streamId === streamId && Object.keys(event.message).length > 0) await send(id, event.message);
        isAfter ||= id === last;
      }
      return streamId;
    },
  };
}

async function serveHttp(port) {
  const sessions = new Map();
  const fresh = async () => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      eventStore: eventStore(),
      retryInterval: 100,
      enableDnsRebindingProtection: true,
      allowedHosts: [`127.0.0.1:${port}`, `localhost:${port}`],
    });
    await server().connect(transport);
    return transport;
  };
  createServer(async (request, response) => {
    const id = request.headers["mcp-session-id"];
    const transport = sessions.get(id) ?? (id ? undefined : await fresh());
    if (transport) return transport.handleRequest(request, response);
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null }));
  }).listen(port, "127.0.0.1", () => console.error("ready"));
}

const port = process.argv[2];
if (port) await serveHttp(Number(port));
else await server().connect(new StdioServerTransport());

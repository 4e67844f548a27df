// Invokes the service of service.mjs through Restate and prints one line of JSON for each number of invocations at once.
// Usage: node drive.mjs VERSION INGRESS_PORT ADMIN_PORT SERVICE_PORT SECONDS CONCURRENCY…

import http from "node:http";

const STEPS = 10;
const BYTES = 1024;
const WARM_UP_SECONDS = 1;
const agent = new http.Agent({ keepAlive: true });

const [version, ingress, admin, service, seconds, ...concurrencies] = process.argv.slice(2);

await post(admin, "/deployments", { uri: `http://127.0.0.1:${service}` });
await checkJournal();
for (const concurrency of concurrencies.map(Number)) {
  await many(concurrency, WARM_UP_SECONDS);
  const began = performance.now();
  const took = await many(concurrency, Number(seconds));
  console.log(JSON.stringify(line(concurrency, (performance.now() - began) / 1000, took)));
}
agent.destroy();

// Every step must have reached the journal: otherwise what is measured is no durable step.
async function checkJournal() {
  const { headers } = await invoke();
  const id = headers["x-restate-id"];
  const query = `SELECT count(*) AS n FROM sys_journal WHERE id = '${id}' AND entry_type = 'Command: Run'`;
  const { body } = await post(admin, "/query", { query });
  const kept = JSON.parse(body).rows[0].n;
  if (kept !== STEPS) throw new Error(`the journal of ${id} has ${kept} steps, not ${STEPS}`);
}

// Keeps this many invocations going for a while, each begun when one before it has ended. Gives what each of them took.
async function many(concurrency, span) {
  const end = performance.now() + span * 1000;
  const took = [];
  const oneAfterAnother = async () => {
    while (performance.now() < end) {
      const began = performance.now();
      const { body } = await invoke();
      if (Number(body) !== STEPS * BYTES) throw new Error(`an invocation gave ${body}`);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, oneAfterAnother));
  return took;
}

function invoke() {
  return post(ingress, "/steps/run", null);
}

function post(port, path, value) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host: "127.0.0.1", port, path, method: "POST", headers }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (body += part));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode < 300) resolve({ headers: response.headers, body });
        else reject(new Error(`${path} answered ${response.statusCode}: ${body}`));
      });
    });
    request.on("error", reject);
    request.end(value === null ? undefined : JSON.stringify(value));
  });
}

function line(concurrency, span, took) {
  took.sort((one, other) => one - other);
  return {
    peer: "restate",
    version,
    concurrency,
    workflows: took.length,
    seconds: rounded(span),
    steps_a_second: rounded((took.length * STEPS) / span),
    workflow_ms: { p50: quantile(took, 0.5), p99: quantile(took, 0.99) },
  };
}

// The smallest time that this share of the invocations did not exceed.
function quantile(sorted, share) {
  return rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]);
}

function rounded(value) {
  return Math.round(value * 100) / 100;
}

// A BullMQ worker: `node worker.mjs REDIS_PORT PROVIDER_PORT`.

import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { Pool } from "undici";

const CONCURRENCY = 150;
const [redisPort, providerPort] = process.argv.slice(2).map(Number);

// Claims and records have a connection of their own; commands of one turn of the event loop share a round trip.
const redis = new Redis({ host: "127.0.0.1", port: redisPort, enableAutoPipelining: true });
const provider = new Pool(`http://127.0.0.1:${providerPort}`, { connections: CONCURRENCY });
const headers = { "content-type": "application/json" };

async function send(message) {
  const answer = await provider.request({ method: "POST", path: "/messages", headers, body: JSON.stringify(message) });
  const said = await answer.body.json();
  return said.messages[0].id;
}

async function deliver(job) {
  const { to, name } = job.data;
  // One that is recorded already is not sent again; one that may have been sent is: BullMQ delivers at least once.
  if (job.attemptsStarted > 1 && (await redis.exists(`sent:${to}`))) {
    return;
  }
  await redis.set(`sending:${to}`, Date.now());
  const id = await send({ to, name });
  await redis.multi().set(`sent:${to}`, id).del(`sending:${to}`).exec();
}

const worker = new Worker("messages", deliver, {
  connection: { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null },
  concurrency: CONCURRENCY,
  removeOnComplete: { count: 0 },
});
worker.on("error", (problem) => console.error(problem));
worker.on("failed", (job, problem) => console.error(job?.id, problem));
process.on("SIGTERM", async () => {
  // Closing waits for Redis, which may be gone already.
  setTimeout(() => process.exit(1), 3000);
  await worker.close();
  process.exit(0);
});

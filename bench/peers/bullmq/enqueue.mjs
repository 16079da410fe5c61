// Puts jobs into the queue: `node enqueue.mjs REDIS_PORT FIRST COUNT NAME`.

import { Queue } from "bullmq";

const [redisPort, first, count] = process.argv.slice(2, 5).map(Number);
const name = process.argv[5];
const queue = new Queue("messages", { connection: { host: "127.0.0.1", port: redisPort } });

for (let start = first; start < first + count; start += 500) {
  const jobs = [];
  for (let number = start; number < Math.min(start + 500, first + count); number += 1) {
    jobs.push({ name: "deliver", data: { to: `+1555${String(number).padStart(7, "0")}`, name } });
  }
  await queue.addBulk(jobs);
}
await queue.close();

// The official client in a loop. Each line of the standard input is a batch,
// each line of the standard output what it took: see contenders.go.
import { createInterface } from 'node:readline';
import { UmamiClient } from '@umami/api-client';

const websiteId = '00000000-0000-4000-8000-000000000000';

for await (const line of createInterface({ input: process.stdin })) {
  const { BaseURL, Calls, Rows } = JSON.parse(line);
  const umami = new UmamiClient({ baseUrl: `${BaseURL}/api`, token: 'token' });
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  for (let i = 0; i < Calls; i++) {
    const reply = await umami.getRealtime({ websiteId });
    if (reply.events.length !== Rows) throw new Error(`${reply.events.length} rows`);
  }
  const wall = Number(process.hrtime.bigint() - start);
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ CPU: (user + system) * 1000, Wall: wall }));
}

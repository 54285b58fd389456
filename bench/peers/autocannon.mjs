import autocannon from 'autocannon';

/** Drives one load with autocannon and sends its figures, with the CPU of this process, to the bench. */
const [port, connections, seconds, body] = process.argv.slice(2);

const before = process.cpuUsage();
const result = await autocannon({
  url: `http://127.0.0.1:${port}/signal`,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body,
  connections: Number(connections),
  duration: Number(seconds),
});
const { user, system } = process.cpuUsage(before);
process.send({
  ok: result['2xx'],
  failed: result.non2xx + result.errors + result.timeouts,
  perSecond: result.requests.total / result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  cpuMs: (user + system) / 1_000,
});

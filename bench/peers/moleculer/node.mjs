import { ServiceBroker } from 'moleculer';
import { endWithParent, handle, serve, TIMEOUT_MS } from '../http.mjs';

// https://moleculer.services/docs/0.14/fault-tolerance.html, metrics.html and tracing.html: the breaker, metrics and
// traces that the fleet has, too. Every request is traced, to a sink that is not measured.
// https://moleculer.services/docs/0.14/deploying.html: each service is a process of its own behind NATS.
/** The services that the gateway calls in turn, like the stations of a signal in the fleet. */
const STEPS = ['admission', 'queue', 'worker', 'records', 'figures'];
const [name, natsUrl, sinkUrl, httpPort] = process.argv.slice(2);

endWithParent();
const broker = new ServiceBroker({
  nodeID: name,
  transporter: natsUrl,
  logger: { type: 'Console', options: { level: 'warn' } },
  requestTimeout: TIMEOUT_MS,
  circuitBreaker: { enabled: true },
  metrics: { enabled: true },
  tracing: { enabled: true, exporter: { type: 'Zipkin', options: { baseURL: sinkUrl } } },
});

if (name === 'gateway') {
  broker.createService({ name: 'gateway', actions: { run: callInTurn } });
  await broker.start();
  await broker.waitForServices(STEPS);
  serve(httpPort, (work) => broker.call('gateway.run', work));
} else {
  broker.createService({ name, actions: { run: () => handle() } });
  await broker.start();
}

/** One action around the calls makes them one trace. */
async function callInTurn(context) {
  const results = {};
  for (const step of STEPS) results[step] = await context.call(`${step}.run`, context.params);
  return results.worker;
}

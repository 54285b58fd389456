import { TraceCollector } from '@tps/testkit';
import { startRig } from './testing/rig';
test('x', async () => {
  const c = await TraceCollector.start();
  const rig = await startRig({ JAEGER_ENDPOINT: c.url });
  const a = await rig.http.post('/signal').set({traceparent:'00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'}).send({ signal_type: 'execute', payload: {} });
  const b = await rig.http.post('/signal').send({ signal_type: 'execute', payload: {} });
  await new Promise(r => setTimeout(r, 1500));
  process.stderr.write(JSON.stringify([a.body, b.body, c.url, c.spans, rig.fleet.signals.map(s=>s.traceparent)], null, 1));
  await rig.stop(); await c.stop();
});

import { TraceCollector } from '@tps/testkit';
import { diag, DiagConsoleLogger, DiagLogLevel } from '@opentelemetry/api';
import { startRig } from './testing/rig';
test('x', async () => {
  const w = (...a: unknown[]) => void process.stderr.write(a.map(String).join(" ").slice(0,500) + '\n');
  diag.setLogger({ error: w, warn: w, info: w, debug: w, verbose: w }, DiagLogLevel.ALL);
  const c = await TraceCollector.start();
  const rig = await startRig({ JAEGER_ENDPOINT: c.url });
  await rig.http.post('/signal').send({ signal_type: 'execute', payload: {} });
  await new Promise(r => setTimeout(r, 1500));
  w(c.spans.length);
  await rig.stop(); await c.stop();
});

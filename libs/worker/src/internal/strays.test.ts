import { resolve } from 'node:path';
import type { Logger } from '@tps/telemetry';
import { DeadlineError } from './attempt';
import { AttemptTimeoutError } from '../failure';
import { SOME_TYPE, Strays } from './strays';

const HOME = resolve(__dirname, '../../..');
const FRAMES = {
  node: '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
  fleet: `    at Batcher.send (${HOME}/bus/dist/batcher.js:10:5)`,
  fleetAsync: `    at async Pipeline.run (${HOME}/worker/dist/internal/pipeline.js:10:5)`,
  broker:
    '    at NatsConnection.x (/app/node_modules/.pnpm/@nats-io+core@3/node_modules/@nats-io/nats-core/lib/x.js:1:2)',
  dependency: '    at Client.query (/app/node_modules/.pnpm/pg@8/node_modules/pg/lib/client.js:10:5)',
  handler: '    at resize (/app/handlers/resize.js:10:5)',
  module: '    at file:///app/handlers/resize.mjs:10:5',
  builtin: '    at new Promise (<anonymous>)',
};
function errorWith(...frames: (keyof typeof FRAMES)[]): Error {
  const lines = ['Error: left behind', ...frames.map((frame) => FRAMES[frame])];
  return Object.assign(new Error('left behind'), { stack: lines.join('\n') });
}
const BOTH = ['resize', 'mail'];
const RESIZE = ['resize'];
function watched(): { strays: Strays; types: string[]; lines: object[] } {
  const [types, lines]: [string[], object[]] = [[], []];
  const log = { error: (_: string, fields: object) => lines.push(fields) } as unknown as Logger;
  return { strays: new Strays(log, (type) => types.push(type)), types, lines };
}

test.each<[what: string, error: unknown, mine: boolean]>([
  ['an error of a handler', errorWith('handler', 'node'), true],
  ['an error of a handler in a module', errorWith('module'), true],
  ['an error of a dependency of a handler', errorWith('dependency', 'handler'), true],
  ['an error of a handler in its first turn', errorWith('handler', 'fleet', 'fleetAsync'), true],
  ['an error of the fleet that a handler called', errorWith('fleet', 'handler'), true],
  ['an error of a dependency alone', errorWith('dependency', 'builtin', 'node'), true],
  ['an error of Node alone', errorWith('node'), true],
  ['undefined', undefined, true],
  ['the time-out of an attempt', new AttemptTimeoutError(10), true],
  ['the deadline of a signal', new DeadlineError(), true],
  ['an error of the fleet', errorWith('builtin', 'node', 'fleet'), false],
  ['an error of a dependency of the fleet', errorWith('dependency', 'fleetAsync'), false],
  ["an error of the broker's client", errorWith('broker', 'node'), false],
])('%s', (_, error, mine) => {
  const { strays, types } = watched();
  expect([strays.absorb(error, BOTH), types.length]).toEqual([mine, mine ? 1 : 0]);
});

test('the first stray starts the tracking, so that later strays have their type', async () => {
  const { strays, types, lines } = watched();
  expect(strays.isTracking).toBe(false);
  expect(strays.track('resize', () => 1)).toBe(1);
  strays.absorb(errorWith('handler'), BOTH);
  expect([strays.isTracking, types, lines]).toMatchObject([
    true,
    [SOME_TYPE],
    [{ one_of: ['resize', 'mail'] }],
  ]);
  await strays.track('mail', async () => {
    await new Promise((done) => setImmediate(done));
    strays.absorb(errorWith('node'), BOTH);
  });
  expect([types.at(-1), lines.at(-1)]).toMatchObject(['mail', { signal_type: 'mail' }]);
});

test('names the only type that has run', () => {
  const { strays, types } = watched();
  strays.absorb(errorWith('handler'), RESIZE);
  expect(types).toEqual(['resize']);
});

test('counts all strays and logs few', () => {
  const { strays, types, lines } = watched();
  for (let ms = 0; ms < 10_000; ms += 10) strays.absorb(errorWith('handler'), RESIZE, ms);
  expect([types.length, lines.length]).toEqual([1_000, 1]);
  strays.absorb(errorWith('handler'), RESIZE, 10_000);
  expect(lines.at(-1)).toMatchObject({ signal_type: 'resize', unsaid: 999 });
});

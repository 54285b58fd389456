import { type CpuProfile, summariseProfile } from './cpu-profile';

const frame = (functionName: string, url = '', lineNumber = 0): CpuProfile['nodes'][0]['callFrame'] => ({
  functionName,
  url,
  lineNumber,
});

test('sums up self time without idle time, under short names of modules', () => {
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('parse', 'file:///x/node_modules/.pnpm/a@1/node_modules/a/b.js', 9) },
      { id: 3, callFrame: frame('', '/x/services/gateway/dist/app.js') },
      { id: 4, callFrame: frame('(garbage collector)') },
    ],
    samples: [1, 2, 3, 2, 4],
    timeDeltas: [100, 30, 40, 20, 10],
  };
  expect(summariseProfile(profile)).toEqual({
    busyPercent: 50,
    functions: [
      { name: 'parse a/b.js:10', percent: 50 },
      { name: '(anonymous) services/gateway/dist/app.js:1', percent: 40 },
      { name: '(garbage collector)', percent: 10 },
    ],
    modules: [
      { name: 'a/b.js', percent: 50 },
      { name: 'services/gateway/dist/app.js', percent: 40 },
      { name: '(garbage collector)', percent: 10 },
    ],
  });
});

/**
 * The only jest settings. `unit`: beside the code, with real servers on free ports; `fleet`: whole fleets, two at a time;
 * `timed`: whole fleets with limits in time to keep, for which --runInBand leaves the machine to one at a time.
 */
const common = {
  testEnvironment: 'node',
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  moduleNameMapper: {
    '^@tps/bus/access$': '<rootDir>/libs/bus/src/access.ts',
    '^@tps/contracts/fleet$': '<rootDir>/libs/contracts/src/fleet.ts',
    '^@tps/(contracts|bus|telemetry|fleet|service|backup|worker|testkit)$': '<rootDir>/libs/$1/src/index.ts',
    // Scripts of the pages import each other as browsers do, by the name of the built file.
    '^\\./format\\.js$': '<rootDir>/services/gateway/web/format.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.tps/'],
};

module.exports = {
  // Two cores are the smallest machine this must pass on; every worker may hold a nats-server.
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      rootDir: __dirname,
      testMatch: ['<rootDir>/{libs,services,deploy,bench,lint}/**/src/**/*.test.ts'],
    },
    {
      ...common,
      displayName: 'fleet',
      rootDir: __dirname,
      testMatch: ['<rootDir>/tests/src/!(*.timed).test.ts'],
    },
    {
      ...common,
      displayName: 'timed',
      rootDir: __dirname,
      testMatch: ['<rootDir>/tests/src/*.timed.test.ts', '<rootDir>/tests/src/faults/*.test.ts'],
    },
  ],
};

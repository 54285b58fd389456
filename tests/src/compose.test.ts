import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { variables } from './variables';

const ROOT = resolve(__dirname, '../..');
const { PATH, HOME, DOCKER_CONFIG } = process.env;
const BASE = resolve(ROOT, 'deploy/compose/base.yml');
const FILES = ['docker-compose.yml', 'docker-compose-ha.yml'];

interface Container {
  image?: string;
  ports?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  pids_limit?: number;
  environment?: Record<string, unknown>;
  extends?: { file: string; service: string };
}

const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');
const services = (path: string): Record<string, Container> =>
  (parse(read(path)) as { services: Record<string, Container> }).services;

/** Set by the compose files, whatever the shell says. */
const OWN = [
  'APP_ENVIRONMENT',
  'HTTP_PORT',
  'INSTANCE_ID',
  'JAEGER_ENDPOINT',
  'METRICS_PORT',
  'NATS_CREDS',
  'NATS_NKEY',
  'NATS_PASSWORD',
  'NATS_URL',
  'NATS_USER',
  'RABBITMQ_URL',
  'TPS_BIND',
  // The rights at NATS are for names without one.
  'TPS_STREAM_PREFIX',
];

/** `text` with the variables of the code that containers are given between the marks of `block`. */
function withVariables(text: string, block: 'fleet' | 'gateway'): string {
  const mine = [...variables()].filter(
    ([name, { readers }]) => !OWN.includes(name) && (readers.join() === 'gateway') === (block === 'gateway'),
  );
  const names = mine.flatMap(([name, { rule }]) => (rule.secret ? [name, `${name}_FILE`] : [name]));
  const lines = names.map((name) => `      ${name}:\n`).join('');
  const marks = new RegExp(`( +# ${block} variables: .*\\n)[^#]*?( +# end\\n)`);
  if (!marks.test(text)) throw new Error(`deploy/compose/base.yml has no block of ${block} variables`);
  return text.replace(marks, (_, begin: string, end: string) => begin + lines + end);
}

/** Do the compose files fit the code, and keep what they promise? */
describe('docker-compose', () => {
  test('passes every variable of the code on', () => {
    const text = readFileSync(BASE, 'utf8');
    const wanted = withVariables(withVariables(text, 'fleet'), 'gateway');
    if (process.env.UPDATE_DOCS) writeFileSync(BASE, wanted);
    else expect(text).toBe(wanted);
  });

  test.each(['fleet', 'backing'])('%s containers have no more rights than they need', (template) => {
    expect(services('deploy/compose/base.yml')[template]).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      pids_limit: expect.any(Number) as number,
    });
  });

  describe.each(FILES)('%s', (file) => {
    const all = Object.entries(services(file));

    test('every container is made from one of the two', () => {
      expect(all.filter(([, container]) => !container.extends).map(([name]) => name)).toEqual([]);
    });

    test('every image has a version', () => {
      const images = all.flatMap(([, { image }]) => image ?? []);
      expect(images.filter((image) => !/:(\$\{\w+:-)?v?\d+\.\d+/.test(image))).toEqual([]);
    });

    test('only the API is open to the network', () => {
      const open = all.flatMap(([, { ports }]) =>
        (ports ?? []).filter((port) => !port.startsWith('127.0.0.1:')),
      );
      expect(open).toEqual(['${HTTP_PORT:-8080}:8080']);
    });

    test('no password is in it', () => {
      expect(read(file)).not.toMatch(/guest|password:|:\/\/\w+:\w+@/i);
    });

    /** Version 1 is a program of its own, version 2 a plugin of docker. */
    describe.each([['docker-compose'], ['docker compose']])('%s', (command) => {
      const [program, ...plugin] = command.split(' ') as [string, ...string[]];
      const installed = spawnSync(program, [...plugin, 'version']).status === 0;
      (installed ? test : test.skip)(`config${installed ? '' : ': skipped, it is not installed'}`, () => {
        const { status, stderr } = spawnSync(program, [...plugin, '-f', file, 'config', '--quiet'], {
          cwd: ROOT,
          env: { PATH, HOME, DOCKER_CONFIG, COMPOSE_PROFILES: 'observability' },
          encoding: 'utf8',
        });
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      });
    });
  });
});

test('make up names misspelt variables before it builds', () => {
  const folder = mkdtempSync(resolve(tmpdir(), 'tps-docker-'));
  try {
    writeFileSync(resolve(folder, 'docker'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const env = {
      PATH: `${folder}:${PATH}`,
      TPS_NUM_WORKER: '2',
      TPS_NUM_WORKERS: '2',
      TPS_REPLICAS_ANDON: '1',
    };
    const { stdout } = spawnSync('sh', ['deploy/compose/run.sh', 'up'], { cwd: ROOT, env, encoding: 'utf8' });
    expect(stdout.split('\n')).toEqual([
      'TPS_NUM_WORKER is no variable of the fleet. The nearest one is TPS_NUM_WORKERS.',
      expect.stringMatching('^The fleet is up'),
      '',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

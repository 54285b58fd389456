import { type MachineFacts, type Plan, makePlan } from './plan';
import { readSettings } from './settings';

const BARE: MachineFacts = { natsServer: '/bin/nats-server', natsAnswers: false, rabbitAnswers: false };
const WITH_RABBIT: MachineFacts = { ...BARE, rabbitServer: '/bin/rabbitmq-server', epmd: '/bin/epmd' };

function plan(env: Record<string, string> = {}, facts: MachineFacts = BARE): Plan {
  return makePlan(readSettings({ TPS_ROOT: '/checkout', ...env }), facts);
}

const namesOf = ({ brokers, services }: Plan): string[] => [...brokers, ...services].map(({ name }) => name);
const find = ({ services }: Plan, name: string) => services.find((spec) => spec.name === name);

describe('the API', () => {
  it.each([
    [{}, 'http://127.0.0.1:8080'],
    [{ SSL_ENABLED: 'true' }, 'https://127.0.0.1:8080'],
  ])('with %j is at %s', (env, api) => {
    expect(plan(env)).toMatchObject({ api, metrics: 'http://127.0.0.1:9090' });
  });
});

describe('the processes', () => {
  it('are one of each by default', () => {
    expect(namesOf(plan())).toEqual(
      ['nats', 'jidoka', 'kanban', 'andon', 'kaizen', 'heijunka', 'worker', 'gateway'].map(
        (name) => `${name}-1`,
      ),
    );
  });

  it('follow TPS_HEIJUNKA_POOL and TPS_REPLICAS_<NAME>', () => {
    const names = namesOf(
      plan({ TPS_HEIJUNKA_POOL: '3', TPS_REPLICAS_KANBAN: '2', TPS_REPLICAS_ANDON: '0' }),
    );
    expect(names).toEqual(expect.arrayContaining(['worker-1', 'worker-2', 'worker-3', 'kanban-2']));
    expect(names).not.toContain('andon-1');
  });

  it('include RabbitMQ where it is installed, unless it is off', () => {
    expect(namesOf(plan({}, WITH_RABBIT))).toEqual(expect.arrayContaining(['epmd-1', 'rabbitmq-1']));
    expect(namesOf(plan({ TPS_RABBITMQ: 'off' }, WITH_RABBIT))).not.toContain('rabbitmq-1');
    expect(namesOf(plan({}))).not.toContain('rabbitmq-1');
  });

  it.each([
    ['a broker on another host', { NATS_URL: 'nats://broker.example.org' }, BARE],
    [
      'a broker on this machine that answers',
      { NATS_URL: 'nats://localhost:4300' },
      { ...BARE, natsAnswers: true },
    ],
  ])('%s is used, and none is started', (_, env, facts) => {
    const made = plan(env, facts);
    expect(namesOf(made)).not.toContain('nats-1');
    expect(made.externals.map(({ service }) => service)).toEqual(['nats']);
    expect(made.env['NATS_URL']).toBe(env.NATS_URL);
  });

  it('include a nats-server at NATS_URL when nothing answers there', () => {
    const [nats] = plan({ NATS_URL: 'nats://127.0.0.1:4300' }).brokers;
    expect(nats?.files[0]?.text).toContain('listen: "127.0.0.1:4300"');
  });

  it('include a nats-server although one answers at the default address, which the user did not name', () => {
    expect(namesOf(plan({}, { ...BARE, natsAnswers: true }))).toContain('nats-1');
  });
});

describe('a process', () => {
  it('has its own metrics port: 9090 of the gateway, from 9101 of the others', () => {
    const ports = plan().services.map(({ name, env }) => [name, env['METRICS_PORT']]);
    expect(Object.fromEntries(ports)).toMatchObject({
      'gateway-1': '9090',
      'jidoka-1': '9101',
      'kanban-1': '9102',
      'worker-1': '9106',
    });
  });

  it('keeps its port, as a first replica, when there are more replicas', () => {
    const made = plan({ TPS_REPLICAS_JIDOKA: '2', TPS_REPLICAS_GATEWAY: '2' });
    expect(find(made, 'kanban-1')?.env['METRICS_PORT']).toBe('9102');
    expect(find(made, 'jidoka-2')?.env['METRICS_PORT']).toBe('9107');
    expect(find(made, 'gateway-2')?.env).toMatchObject({ HTTP_PORT: '8081', METRICS_PORT: '9108' });
  });

  it('is probed at HTTP_PORT, as the gateway, when it has no metrics port', () => {
    const gateway = find(plan({ METRICS_PORT: 'disabled', HTTP_PORT: '8081' }), 'gateway-1');
    expect(gateway?.env['METRICS_PORT']).toBe('disabled');
    expect(gateway?.live).toEqual({ kind: 'http', url: 'http://127.0.0.1:8081/health/live' });
  });

  it('gets the addresses of the brokers and every variable of the user', () => {
    const { env } = plan({ TPS_KANBAN_BUFFER: '9' }, WITH_RABBIT);
    expect(env).toMatchObject({
      TPS_KANBAN_BUFFER: '9',
      NATS_URL: 'nats://127.0.0.1:4222',
      RABBITMQ_URL: 'amqp://guest:guest@127.0.0.1:5672',
    });
  });

  it('has its own instance id', () => {
    expect(find(plan(), 'andon-1')?.env['INSTANCE_ID']).toBe('andon-1');
    expect(find(plan({ INSTANCE_ID: 'blue' }), 'andon-1')?.env['INSTANCE_ID']).toBe('blue-andon-1');
  });
});

describe('refused with a clear message', () => {
  it.each([
    [{ HTTP_PORT: 'abc' }, 'HTTP_PORT is "abc": it must be a port number from 1 to 65535.'],
    [
      { METRICS_PORT: '70000' },
      'METRICS_PORT is "70000": it must be a port number from 1 to 65535, or "disabled".',
    ],
    [{ TPS_HEIJUNKA_POOL: '-1' }, 'TPS_HEIJUNKA_POOL is "-1": it must be a whole number from 0 to 256.'],
    [{ TPS_RABBITMQ: 'no' }, 'TPS_RABBITMQ is "no"'],
    [{ NATS_URL: '://' }, 'NATS_URL is not a URL'],
    [{ HTTP_PORT: '9101' }, 'jidoka-1 and gateway-1 would both listen on port 9101'],
    [{ TPS_METRICS_BASE_PORT: '65533' }, 'lower TPS_METRICS_BASE_PORT'],
  ])('%j', (env, message) => {
    expect(() => plan(env)).toThrow(message);
  });

  it('a machine without nats-server', () => {
    expect(() => plan({}, { natsAnswers: false, rabbitAnswers: false })).toThrow(
      'apt-get install nats-server',
    );
  });
});

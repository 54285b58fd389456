import { BOARD_SERVICES, FLEET, recordOf, SERVICES, SPANS, telemetryName } from './fleet';

const facts = Object.values(FLEET);

describe('the manifest of the fleet', () => {
  it('gives each service a span and a container user of its own', () => {
    expect(new Set(Object.values(SPANS)).size).toBe(SERVICES.length);
    expect(new Set(facts.map(({ uid }) => uid)).size).toBe(SERVICES.length);
  });

  it('gives the metrics ports from 9101 on to the services beside the gateway, without a gap', () => {
    const ports = SERVICES.filter((service) => service !== 'gateway').map((name) => FLEET[name].metricsPort);
    expect(ports.sort()).toEqual(ports.map((_, index) => 9101 + index));
  });

  it('names services as a folder, a NATS subject and an environment variable can', () => {
    expect(SERVICES.filter((service) => !/^[a-z]+$/.test(service))).toEqual([]);
  });

  it('serves no board of the gateway and the workers', () => {
    expect(SERVICES.filter((service) => !BOARD_SERVICES.some((other) => other === service))).toEqual([
      'gateway',
      'worker',
    ]);
  });
});

test('the gateway is the system in traces, every other service is itself', () => {
  expect(recordOf(['gateway', 'kanban'] as const, telemetryName)).toEqual({
    gateway: 'tps-system',
    kanban: 'tps-kanban',
  });
});

import { readBind, readNatsBind } from './bind';
import { LocalRuntimeError } from './errors';

describe('TPS_BIND', () => {
  it.each([
    [undefined, '127.0.0.1', '127.0.0.1'],
    ['', '127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '0.0.0.0', '127.0.0.1'],
    ['::', '::', '127.0.0.1'],
    ['::1', '::1', '[::1]'],
    ['10.0.0.5', '10.0.0.5', '10.0.0.5'],
  ])('%s listens on %s and is reached at %s', (value, address, host) => {
    expect(readBind(value === undefined ? {} : { TPS_BIND: value })).toEqual({ address, host });
  });

  it.each(['localhost', '127.0.0.1:8080', '[::1]', '*', 'eth0'])('may not be %s', (TPS_BIND) => {
    expect(() => readBind({ TPS_BIND })).toThrow(LocalRuntimeError);
    expect(() => readBind({ TPS_BIND })).toThrow(`TPS_BIND is "${TPS_BIND}": it must be an IP address`);
  });
});

describe('TPS_NATS_BIND', () => {
  it('is loopback, or all addresses', () => {
    expect(readNatsBind({})).toBe('127.0.0.1');
    expect(readNatsBind({ TPS_BIND: '0.0.0.0' })).toBe('127.0.0.1');
    expect(readNatsBind({ TPS_NATS_BIND: '0.0.0.0' })).toBe('0.0.0.0');
    expect(readNatsBind({ TPS_NATS_BIND: '::' })).toBe('[::]');
  });

  it('may not be an address at which the fleet itself would not find it', () => {
    expect(() => readNatsBind({ TPS_NATS_BIND: '10.0.0.5' })).toThrow(
      /^TPS_NATS_BIND is "10\.0\.0\.5": it must be/,
    );
  });
});

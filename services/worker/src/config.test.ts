import { ConfigError, loadConfig } from '@tps/service';
import { variables } from './config';

describe('TPS_HTTP_ALLOWLIST', () => {
  const load = (list: string): string =>
    loadConfig(variables, { TPS_HTTP_ALLOWLIST: list }).TPS_HTTP_ALLOWLIST;

  it('is empty by default', () => expect(load('')).toBe(''));

  it.each(['hooks.example.com', 'a:8080,b, 10.0.0.7:443', '[::1]:80', 'my_service', 'a:65535'])(
    'may be %s',
    (list) => {
      expect(load(list)).toBe(list);
    },
  );

  it.each([
    '*.example.com',
    'http://example.com',
    'example.com/path',
    'a,,b',
    'a:port',
    'a:0',
    'a:65536',
    'a:99999',
  ])('may not be %s', (list) => expect(() => load(list)).toThrow(ConfigError));
});

import { Type } from '@sinclair/typebox';
import { ConfigError, loadConfig } from './config';
import { fleetVariables } from './fleet-variables';
import { collectorUrl, contextFrom, headersOf } from './tracing';
import { trace } from '@opentelemetry/api';

describe('loadConfig', () => {
  test('gives every variable its default, and freezes the result', () => {
    const config = loadConfig(fleetVariables, {});
    expect(config).toMatchObject({
      TPS_NUM_WORKERS: 4,
      TPS_KANBAN_BUFFER: 1000,
      LOG_LEVEL: 'info',
      METRICS_PORT: 9090,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('reads text as what the variable is; empty counts as unset', () => {
    const env = {
      TPS_NUM_WORKERS: '16',
      TPS_CB_TIMEOUT: '0.5',
      METRICS_PORT: 'disabled',
      TPS_KANBAN_BUFFER: '',
    };
    expect(loadConfig(fleetVariables, env)).toMatchObject({
      TPS_NUM_WORKERS: 16,
      TPS_CB_TIMEOUT: 0.5,
      METRICS_PORT: 'disabled',
      TPS_KANBAN_BUFFER: 1000,
    });
  });

  test.each([
    [{ RUST_LOG: 'debug' }, 'debug'],
    [{ RUST_LOG: 'trace' }, 'debug'],
    [{ RUST_LOG: 'tps=debug,warn' }, 'warn'],
    [{ RUST_LOG: 'off' }, 'error'],
    [{ RUST_LOG: 'debug', LOG_LEVEL: 'error' }, 'error'],
  ])('%j logs at %s', (env, level) => {
    expect(loadConfig({}, env).LOG_LEVEL).toBe(level);
  });

  test("the guide's short names are taken, the own name wins", () => {
    expect(loadConfig(fleetVariables, { KANBAN_BUFFER: '50' }).TPS_KANBAN_BUFFER).toBe(50);
    expect(
      loadConfig(fleetVariables, { KANBAN_BUFFER: '50', TPS_KANBAN_BUFFER: '60' }).TPS_KANBAN_BUFFER,
    ).toBe(60);
  });

  test.each([
    [{ TPS_NUM_WORKERS: '0' }, 'TPS_NUM_WORKERS=0 is not allowed: must be a whole number from 1 to 512'],
    [{ KANBAN_BUFFER: 'big' }, 'KANBAN_BUFFER=big is not allowed: must be a whole number from 1 to 1000000'],
    [{ RUST_LOG: 'loud' }, 'RUST_LOG=loud is not allowed: must be `error` or `warn` or `info` or `debug`'],
    [{ FLAG: 'maybe' }, 'FLAG=maybe is not allowed: must be `true` or `false`'],
  ])('%j is refused in one line', (env, line) => {
    const variables = { ...fleetVariables, FLAG: Type.Boolean({ default: false }) };
    expect(() => loadConfig(variables, env)).toThrow(new ConfigError(line));
  });
});

describe('tracing', () => {
  test.each([
    ['', undefined],
    ['http://jaeger:14268/api/traces', 'http://jaeger:4318/v1/traces'],
    ['http://central:4318', 'http://central:4318/v1/traces'],
    ['https://collector/custom/path', 'https://collector/custom/path'],
  ])('JAEGER_ENDPOINT=%s exports to %s', (endpoint, url) => {
    expect(collectorUrl(endpoint)).toBe(url);
  });

  test('a context survives its way through headers, with its state', () => {
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1,b=2',
    };
    const context = contextFrom(headers.traceparent, headers.tracestate);
    expect(headersOf(trace.wrapSpanContext(trace.getSpanContext(context)!))).toEqual(headers);
  });

  test.each([undefined, '', 'nonsense', '00-00000000000000000000000000000000-b7ad6b7169203331-01'])(
    'a malformed traceparent (%s) starts a new trace',
    (traceparent) => {
      expect(trace.getSpanContext(contextFrom(traceparent))).toBeUndefined();
    },
  );
});

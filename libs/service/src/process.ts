import { setTimeout as sleep } from 'node:timers/promises';
import type { TProperties } from '@sinclair/typebox';
import { type ServiceName, telemetryName } from '@tps/contracts';
import { describeThrown, redactUrls } from '@tps/telemetry';
import { ConfigError } from './config';
import type { Closeable, ServiceDefinition } from './definition';
import { type ServiceHandle, startService } from './run';

/** Exit code of a service that cannot start with its configuration, so that a restart is useless. */
const EXIT_CONFIG = 78;
const EXIT_LOST = 1;
const STOP_LIMIT_MS = 25_000;

/**
 * Runs a service as this process. The first SIGTERM or SIGINT stops it gracefully, a second one at once. An unhandled
 * error ends it, unless the service absorbs the error; it never cuts a graceful stop short.
 */
export async function runService<P extends TProperties, D extends Closeable | undefined>(
  definition: ServiceDefinition<P, D>,
): Promise<void> {
  let handle: ServiceHandle | undefined;
  let ending: Promise<void> | undefined;
  let asked = 0;
  let exitCode = 0;
  const end = (code: number): void => {
    exitCode ||= code;
    if (!handle) process.exit(exitCode || EXIT_LOST);
    ending ??= stopInTime(handle).then((inTime) => process.exit(inTime ? exitCode : EXIT_LOST));
  };
  const fail = (error: unknown): void => {
    report(definition.name, 'cannot go on', error);
    end(EXIT_LOST);
  };
  const onSignal = (): void => {
    asked += 1;
    if (asked > 1) process.exit(EXIT_LOST);
    end(0);
  };
  const onStray = (error: unknown): void => {
    if (!handle?.absorb(error)) fail(error);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  process.on('uncaughtException', onStray).on('unhandledRejection', onStray);
  try {
    handle = await startService(definition, process.env, fail);
  } catch (error) {
    if (error instanceof ConfigError)
      process.stderr.write(`${telemetryName(definition.name)}: ${error.message}\n`);
    else report(definition.name, 'cannot start', error);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : EXIT_LOST);
  }
}

async function stopInTime(handle: ServiceHandle): Promise<boolean> {
  return Promise.race([handle.stop().then(() => true), sleep(STOP_LIMIT_MS).then(() => false)]);
}

function report(service: ServiceName, message: string, error: unknown): void {
  const { message: text, stack = text } = describeThrown(error);
  const line = {
    level: 'error',
    service: telemetryName(service),
    message,
    error: stack,
    timestamp: new Date(),
  };
  process.stderr.write(`${redactUrls(JSON.stringify(line))}\n`);
}

import { setTimeout as sleep } from 'node:timers/promises';
import { restoreMissing } from '@tps/bus';
import { type TypeRecord, WIRE_VERSION } from '@tps/contracts';
import { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { CompiledDefinition } from './attempt';

const RETIREMENT_WAIT_MS = 5_000;
const LOOK_MS = 20;

/**
 * Makes this worker's types known to the fleet, and keeps them known while it lives: a type that was retired while this
 * process hung, or whose record got lost, is announced again. Records stay when their last worker has gone.
 */
export class Announcements {
  private announced = false;
  private types!: TypesView;

  private constructor(private readonly definitions: ReadonlyMap<string, CompiledDefinition>) {}

  static async open(
    { bus, config, log }: ServiceContext,
    definitions: ReadonlyMap<string, CompiledDefinition>,
  ): Promise<Announcements> {
    const announcements = new Announcements(definitions);
    const onError = (error: unknown): void => void log.error('types', { error });
    announcements.types = await TypesView.open(bus, {
      replicas: config.TPS_NATS_REPLICAS,
      onError,
      restore: restoreMissing,
      onChange: (type, record) => {
        if (announcements.isGone(type, record)) void announcements.announce(type).catch(onError);
      },
    });
    for (const type of definitions.keys()) await announcements.announce(type);
    announcements.announced = true;
    return announcements;
  }

  /** Ends the service of this worker, so that a type retired from now on stays retired. */
  end(): void {
    this.announced = false;
  }

  close(): void {
    this.types.close();
  }

  private isGone(type: string, record: TypeRecord | undefined): boolean {
    return this.announced && this.definitions.has(type) && (!record || record.retired?.phase === 'done');
  }

  private async announce(type: string): Promise<void> {
    const { records } = this.types;
    const definition = this.definitions.get(type);
    if (!definition) return;
    // A removal in progress would delete this worker's lanes, too.
    const endMs = Date.now() + RETIREMENT_WAIT_MS;
    while (this.types.retirement(type)?.phase === 'removing' && Date.now() < endMs) await sleep(LOOK_MS);
    const known = records.get(type);
    const record = recordOf(definition, known);
    if (JSON.stringify(known) !== JSON.stringify(record)) await records.put(type, record);
  }
}

/** @param known the fleet's present record; a retired type begins as a new one */
function recordOf(definition: CompiledDefinition, known: TypeRecord | undefined): TypeRecord {
  const { name, input, output, standardMs, maxWaitMs, timeoutMs, retry, asyncRetry } = definition;
  return {
    v: WIRE_VERSION,
    name,
    ...(input ? { input_schema: input } : {}),
    ...(output ? { output_schema: output } : {}),
    timeout_ms: timeoutMs,
    ...(standardMs === undefined ? {} : { standard_ms: standardMs }),
    ...(maxWaitMs === undefined ? {} : { max_wait_ms: maxWaitMs }),
    retry,
    ...(asyncRetry ? { retry_async: asyncRetry } : {}),
    registered_at: (known?.retired ? undefined : known?.registered_at) ?? new Date().toISOString(),
  };
}

import { Type } from '@sinclair/typebox';
import { ask, type Bus } from '@tps/bus';
import { REPORT_FORMATS, type ReplyOf, type RequestOf, ServiceError } from '@tps/contracts';
import { defineSignal, RejectedError, type SignalDefinition, TransientError } from '@tps/worker';

const LIMIT_MS = 2_000;

/** Requests a production report from kaizen, which makes it from the outcomes. */
export function reportSignal(bus: Bus): SignalDefinition {
  return defineSignal({
    name: 'report',
    input: Type.Object({
      format: Type.Optional(
        Type.String({ description: `one of ${REPORT_FORMATS.join(', ')}; default json` }),
      ),
    }),
    output: Type.Unknown(),
    timeoutMs: 10_000,
    standardMs: 200,
    success: 'Report generated',
    run: ({ format = 'json' }) => {
      const known = REPORT_FORMATS.find((name) => name === format);
      if (known) return askKaizen(bus, { format: known });
      throw new RejectedError(
        `payload.format ${JSON.stringify(format)} is none of ${REPORT_FORMATS.join(', ')}`,
      );
    },
  });
}

async function askKaizen(bus: Bus, request: RequestOf<'report'>): Promise<ReplyOf<'report'>> {
  if (!bus.connected) throw new TransientError('not connected to NATS');
  return ask(bus, 'report', request, { timeoutMs: LIMIT_MS }).catch((cause: unknown) => {
    if (cause instanceof ServiceError) throw new TransientError(`kaizen: ${cause.message}`);
    throw new TransientError('kaizen, which makes the report, does not answer', { cause });
  });
}

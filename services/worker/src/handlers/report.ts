import { Type } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import { encode, REPORT_FORMATS, type ReportReply, type ReportRequest } from '@tps/contracts';
import { defineSignal, RejectedError, type SignalDefinition, TransientError } from '@tps/worker';

const LIMIT_MS = 2_000;

/** A production report, which kaizen makes of the outcomes it follows. */
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

async function askKaizen(bus: Bus, request: ReportRequest): Promise<ReportReply> {
  if (!bus.connected) throw new TransientError('not connected to NATS');
  const asked = bus.nc.request(bus.names.subjects.report, encode(request), { timeout: LIMIT_MS });
  const reply = await asked.catch((cause: unknown) => {
    throw new TransientError('kaizen, which makes the report, does not answer', { cause });
  });
  const answer = reply.json<ReportReply | { error: string }>();
  if ('error' in answer) throw new TransientError(`kaizen: ${answer.error}`);
  return answer;
}

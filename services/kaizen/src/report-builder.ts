import type { ReplyOf, RequestOf } from '@tps/contracts';
import { OutcomesLog } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { KaizenConfig } from './config';
import { OutcomeCounts } from './outcome-counts';
import { productionReport } from './production-report';
import { render } from './report-formats';

const READ_LIMIT_MS = 5_000;

/** The requested part of the log could not be read in time. */
class ReportTooLongError extends Error {
  override readonly name = 'ReportTooLongError';
}

/**
 * Builds production reports. A report over everything uses the running counts. A report over a stretch of time reads
 * that stretch of the log again, one report at a time, because reading is work for the broker.
 */
export class ReportBuilder {
  private lastRead: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly context: ServiceContext<KaizenConfig>,
    private readonly total: () => OutcomeCounts,
  ) {}

  async build({ format, since_ms }: RequestOf<'report'>): Promise<ReplyOf<'report'>> {
    const counts = since_ms === undefined ? this.total() : await this.countSince(since_ms);
    const report = productionReport(counts, Date.now());
    return { format, content: render(report, format), generated_at: report.generated_at };
  }

  private countSince(sinceMs: number): Promise<OutcomeCounts> {
    const reading = this.lastRead.then(() => this.read(sinceMs));
    this.lastRead = reading.catch(() => undefined);
    return reading;
  }

  private async read(sinceMs: number): Promise<OutcomeCounts> {
    const counts = new OutcomeCounts();
    const log = await OutcomesLog.open(this.context, {
      sinceMs,
      maxBytes: Infinity,
      onOutcome: (logged) => counts.add(logged),
    });
    try {
      if (await log.caughtUp(READ_LIMIT_MS)) return counts;
      throw new ReportTooLongError(
        `the last ${sinceMs} ms of the log could not be read within ${READ_LIMIT_MS} ms: ask for a shorter stretch`,
      );
    } finally {
      await log.stop();
    }
  }
}

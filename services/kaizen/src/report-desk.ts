import type { ReplyOf, RequestOf } from '@tps/contracts';
import { OutcomesLog, type ServiceContext } from '@tps/service';
import type { KaizenConfig } from './config';
import { productionReport } from './production-report';
import { render } from './report-formats';
import { Tally } from './tally';

const READ_LIMIT_MS = 5_000;

/** The part of the log that was asked for could not be read in time. */
class ReportTooLongError extends Error {
  override readonly name = 'ReportTooLongError';
}

/**
 * Answers requests for production reports. One over everything is made from the running tally; one over a stretch of
 * time is the same tally over a shorter log, which is read for it: one at a time, as that is work for the broker.
 */
export class ReportDesk {
  private lastRead: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly context: ServiceContext<KaizenConfig>,
    private readonly everything: Tally,
  ) {}

  async answer({ format, since_ms }: RequestOf<'report'>): Promise<ReplyOf<'report'>> {
    const tally = since_ms === undefined ? this.everything : await this.since(since_ms);
    const report = productionReport(tally, Date.now());
    return { format, content: render(report, format), generated_at: report.generated_at };
  }

  private since(sinceMs: number): Promise<Tally> {
    const reading = this.lastRead.then(() => this.read(sinceMs));
    this.lastRead = reading.catch(() => undefined);
    return reading;
  }

  private async read(sinceMs: number): Promise<Tally> {
    const tally = new Tally();
    const log = await OutcomesLog.open(this.context, { sinceMs, onOutcome: (logged) => tally.add(logged) });
    try {
      if (await log.caughtUp(READ_LIMIT_MS)) return tally;
      throw new ReportTooLongError(
        `the last ${sinceMs} ms hold more than can be read in ${READ_LIMIT_MS} ms`,
      );
    } finally {
      await log.stop();
    }
  }
}

import { COLOURS, lineName, METRICS } from '@tps/contracts';
import { Gauge, type Registry } from 'prom-client';
import type { Boards } from '../fleet/boards';

/** Registers the gauges that an alert manager calls people by. */
export function registerAndonGauges(registry: Registry, boards: Boards): void {
  const registers = [registry];
  const andon = () => boards.scraped('andon');
  new Gauge({
    ...METRICS.andonColour,
    registers,
    async collect() {
      const known = await andon();
      this.reset();
      if (!known) return;
      const { lines, stations } = known;
      for (const [line, { colour }] of Object.entries(lines)) this.set({ line }, COLOURS.indexOf(colour));
      for (const [service, { colour }] of Object.entries(stations)) {
        this.set({ line: lineName({ kind: 'station', name: service }) }, COLOURS.indexOf(colour));
      }
    },
  });
  new Gauge({
    ...METRICS.andonOpenCalls,
    registers,
    async collect() {
      const calls = (await andon())?.calls ?? [];
      const owned = calls.filter(({ owner }) => owner !== undefined).length;
      this.set({ acknowledged: 'true' }, owned);
      this.set({ acknowledged: 'false' }, calls.length - owned);
    },
  });
  new Gauge({
    ...METRICS.andonUnacknowledged,
    registers,
    async collect() {
      const calls = (await andon())?.calls ?? [];
      const ages = calls.filter(({ owner }) => owner === undefined).map(({ age_ms }) => age_ms / 1_000);
      this.set(Math.max(0, ...ages));
    },
  });
}

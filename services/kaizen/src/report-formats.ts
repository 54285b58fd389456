import type { ReportFormat } from '@tps/contracts';
import type { ProductionReport, ReportLine } from './production-report';

/** The columns of the tables, in order; also the header of the CSV form. */
const COLUMNS: readonly (readonly [key: keyof ReportLine, heading: string])[] = [
  ['signal_type', 'Type'],
  ['produced', 'Produced'],
  ['failed', 'Failed'],
  ['yield_percent', 'Yield %'],
  ['first_pass_yield_percent', 'First-pass yield %'],
  ['work_avg_ms', 'Work avg ms'],
  ['work_p95_ms', 'Work p95 ms'],
  ['work_p99_ms', 'Work p99 ms'],
  ['wait_avg_ms', 'Wait avg ms'],
  ['wait_p95_ms', 'Wait p95 ms'],
  ['wait_p99_ms', 'Wait p99 ms'],
  ['flow_efficiency_percent', 'Flow efficiency %'],
  ['retried', 'Retried'],
  ['rejected', 'Rejected'],
  ['expired', 'Expired'],
  ['cancelled', 'Cancelled'],
];

export function render(report: ProductionReport, format: ReportFormat): object | string {
  if (format === 'json') return report;
  return format === 'markdown' ? markdown(report) : csv(report);
}

function markdown(report: ProductionReport): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  // An unescaped bar would end the cell.
  const cells = (line: ReportLine): string[] =>
    COLUMNS.map(([key]) => String(line[key]).replaceAll('|', '\\|'));
  return [
    `# ${report.title}`,
    '',
    `${report.from ?? 'nothing recorded'} to ${report.to}. Worst type first; times are milliseconds.`,
    '',
    row(COLUMNS.map(([, heading]) => heading)),
    row(COLUMNS.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...report.types.map((line) => row(cells(line))),
    row(cells(report.total).map((cell) => `**${cell}**`)),
    '',
  ].join('\n');
}

/** RFC 4180, so lines end in CR LF. One row for each type, the total last. */
function csv(report: ProductionReport): string {
  const rows = [
    COLUMNS.map(([key]) => key as string),
    ...[...report.types, report.total].map((line) => COLUMNS.map(([key]) => String(line[key]))),
  ];
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** Quotes a cell where needed, and keeps spreadsheets from running a cell that begins like a formula. */
export function csvCell(text: string): string {
  const inert = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

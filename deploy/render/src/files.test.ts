import { FILES } from './files';

const render = (file: string, text: string): string => FILES[file]!(text);

describe('a rendered file', () => {
  it('keeps everything outside of the marks', () => {
    const list = '  # services: written by `make render`\n  old: {}\n  # end of services\n';
    const text = render('deploy/chart/values.yaml', `before: 1\n${list}after: 2\n`);
    expect(text).toMatch(/^before: 1\n {2}# services: written by .*\n {2}jidoka: \{/);
    expect(text).toMatch(/ {2}heijunka: \{.*\}\n {2}# end of services\nafter: 2\n$/);
    expect(text).not.toContain('old');
  });

  it('stays as it is when it is rendered again', () => {
    const text = render('prometheus/prometheus.yml', '      - names: [tps-system, other]\n');
    expect(text).toContain('names: [tps-system, jidoka, kanban, worker, ');
    expect(render('prometheus/prometheus.yml', text)).toBe(text);
  });

  it.each([
    ['README.md', 'lacks the marks "services: written by ..." and "end of services"'],
    ['deploy/compose/run.sh', 'has nothing like'],
  ])('that has no place for the list is an error: %s', (file, message) => {
    expect(() => render(file, '#!/bin/sh\n')).toThrow(message);
  });
});

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Request, Response } from 'express';
import { ApiError } from '../problem';

const ROOT = join(__dirname, '../..');
const PAGES = join(ROOT, 'web');
const SCRIPTS = join(ROOT, 'dist/web');
const TYPES: Record<string, string> = { '.css': 'text/css', '.js': 'text/javascript', '.html': 'text/html' };

interface Asset {
  type: string;
  body: Buffer;
  etag: string;
}

/**
 * The files of the pages, read once at the start: styles as they are written, scripts as they were built, and the
 * chart library. Browsers check each file again before they use it, so that no page runs with the script of another version.
 */
export class Assets {
  private readonly files = new Map<string, Asset>();
  readonly board: string;

  constructor() {
    this.addFolder(PAGES, '.css');
    this.addFolder(SCRIPTS, '.js');
    this.add('uplot.js', require.resolve('uplot/dist/uPlot.esm.js'));
    this.add('uplot.css', require.resolve('uplot/dist/uPlot.min.css'));
    this.board = readFileSync(join(PAGES, 'board.html'), 'utf8');
  }

  /** @throws ApiError NOT_FOUND */
  readonly serve = (req: Request, res: Response): void => {
    const asset = this.files.get(String(req.params.file));
    if (!asset) throw new ApiError('NOT_FOUND', `There is no ${req.path}.`);
    res.set({ etag: asset.etag, 'cache-control': 'no-cache' }).type(asset.type);
    if (req.fresh) res.status(304).end();
    else res.send(asset.body);
  };

  private addFolder(folder: string, extension: string): void {
    for (const name of readdirSync(folder))
      if (extname(name) === extension) this.add(name, join(folder, name));
  }

  private add(name: string, path: string): void {
    const body = readFileSync(path);
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    this.files.set(name, { type: TYPES[extname(name)]!, body, etag });
  }
}

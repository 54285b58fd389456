export * from './boards';
export * from './circuit';
export * from './errors';
export * from './fleet';
export * from './limits';
export * from './messages';
export * from './names';
export * from './signal';

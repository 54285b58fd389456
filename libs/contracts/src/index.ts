export * from './boards';
export * from './circuit';
export * from './dead-letters';
export * from './errors';
export * from './fleet';
export * from './messages';
export * from './names';
export * from './signal';

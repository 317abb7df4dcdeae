export { Roomgate } from './roomgate.js';
export type * from './types.js';

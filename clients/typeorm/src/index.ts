// The context of every write, and what became of it. README.md tells how to use it.

export { carryContext, type CarryOptions } from './carry'
export { Change, type Operation } from './change'
export { changeRepository, type ChangeFilter, type ChangeQueries, type ChangeRepository } from './history'
export { setContext } from './middleware'
export { type Context, currentContext, mergeContext, withContext } from './scope'

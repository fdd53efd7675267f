// The context of a request, for Express and whatever takes middleware of that form.

import type { DataSource } from 'typeorm'
import { carryContext, type CarryOptions } from './carry'
import { type Context, withContext } from './scope'

type Next = (error?: unknown) => void
type Said = Context | null | undefined

// Of any library, not only the engine's own.
function isPromise(said: Said | PromiseLike<Said>): said is PromiseLike<Said> {
  return typeof said?.then === 'function'
}

/**
 * Middleware: what `contextOf` says of a request is the context of everything that the request does, and each write
 * of the DataSource carries it. Put it behind whatever `contextOf` looks at, such as the parser of the body.
 * `contextOf` may give a promise; an error in it is passed on as the request's error.
 */
export function setContext<Request = any>(
  dataSource: DataSource,
  contextOf: (request: Request) => Said | PromiseLike<Said>,
  options?: CarryOptions
): (request: Request, response: any, next: Next) => void {
  carryContext(dataSource, options)
  return (request, _response, next) => {
    let context
    try {
      context = contextOf(request)
    } catch (error) {
      next(error)
      return
    }
    if (!isPromise(context)) {
      withContext(context, next)
      return
    }
    context.then(
      (settled) => {
        withContext(settled, next)
      },
      (error: unknown) => {
        next(error)
      }
    )
  }
}

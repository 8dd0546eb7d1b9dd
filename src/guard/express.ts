// The door as middleware of the Express kind, which is nothing but node:http and a `next`: it fits Express, Connect,
// Polka, or a plain server. Put it behind authentication: whoever may not write must not be able to raise the highest
// token either, because that would lock the holder out.
import { pass, problemType } from './door.ts'
import type { DoorOptions, RequestWithHeaders } from './door.ts'

/** The little of `ServerResponse` that is used. */
export interface ResponseLike {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

export type Middleware<Request> = (request: Request, response: ResponseLike, next: (error?: unknown) => void) => void

export function expressFencing<Request extends RequestWithHeaders>(options: DoorOptions<Request>): Middleware<Request> {
  return (request, response, next) => {
    // `next` is called outside of the promise: what a later handler throws belongs to the framework, not to the guard.
    void pass(request, options).then(
      (passage) =>
        setImmediate(() => {
          if (passage.kind !== 'refused') return next()
          response.statusCode = passage.problem.status
          response.setHeader('Content-Type', problemType)
          response.end(JSON.stringify(passage.problem))
        }),
      (error: unknown) => setImmediate(next, error),
    )
  }
}

// Renewals by HTTP: what the renewer sends becomes an exchange, and what becomes of that an answer or a failure.
import { ExchangeError } from './exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from './exchange.ts'
import type { RenewalFailure } from './keeping.ts'
import type { RenewerParts } from './renewer.ts'

export function sendBy(exchange: (request: ExchangeRequest) => Promise<ExchangeAnswer>): RenewerParts['send'] {
  return (call, ends) => {
    const controller = new AbortController()
    exchange({ ...call, method: 'POST', signal: controller.signal }).then(
      (answer) => ends.answered(answer),
      (error: unknown) => ends.failed(failureOf(error)),
    )
    return { cancel: () => controller.abort() }
  }
}

function failureOf(error: unknown): RenewalFailure {
  const wasStale = error instanceof ExchangeError && error.wasStale
  return { why: error instanceof Error ? error.message : String(error), wasStale }
}

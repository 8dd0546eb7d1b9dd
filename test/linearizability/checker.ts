// Whether a concurrent history can be explained by one order of its operations, each taking effect at one moment between
// its call and its return: linearizability (Herlihy and Wing 1990), decided by the search of Wing and Gong (1993) with the
// memory of Lowe (2017): a state reached twice with the same operations done is looked at once. An operation without a
// return (nobody knows what became of it) stays open for ever: it may take effect at any moment after its call, or never.

export interface Operation<Action> {
  readonly action: Action
  readonly calledAt: number
  /** Infinity: it was never answered, so it may have happened at any time since, or not at all. */
  readonly returnedAt: number
}

/** What the object does when it is used by one client at a time. */
export interface Model<State, Action> {
  readonly initial: State
  /** The states in which the action, with the answer that it got, may leave the object; none: it cannot get that answer. */
  step(state: State, action: Action): readonly State[]
  /** Equal for equal states, and only for them. */
  keyOf(state: State): string
}

export type Verdict<Action> =
  | { readonly kind: 'linearizable'; readonly order: readonly Operation<Action>[] }
  /** The longest order that explains a part, and what could not be put behind it. */
  | {
      readonly kind: 'broken'
      readonly longest: readonly Operation<Action>[]
      readonly stuck: readonly Operation<Action>[]
    }
  /** The search was given up after so many states; nothing is known. */
  | { readonly kind: 'undecided'; readonly states: number }

/** A call or a return, in the order of time; a call knows its return. */
interface Event {
  /** Of the operation. */
  readonly number: number
  readonly isCall: boolean
  readonly at: number
  /** Of a call; null while the operation is open for ever. */
  returned: Event | null
  before: Event | null
  after: Event | null
}

/** A state that the search has reached, and what may come next there: most of it is never asked for. */
interface Place<State> {
  readonly state: State
  /** First those that must be explained, then, once they have been tried, the open ones. */
  calls: readonly Event[]
  tried: number
  hasOpen: boolean
  /** The first return: what is called later cannot be next. */
  readonly limit: number
  /** After the calls that were tried; not yet looked at. */
  readonly options: Option<State>[]
}

/** A state that was looked at, and what was done then. */
interface Reached {
  readonly key: string
  readonly done: Int32Array
}

interface Option<State> {
  readonly call: Event
  /** After the call has taken effect. */
  readonly state: State
}

/** At most `statesMax` states are looked at. */
export function linearize<State, Action>(
  operations: readonly Operation<Action>[],
  model: Model<State, Action>,
  statesMax = 1_000_000,
): Verdict<Action> {
  return new Search(operations, model).run(statesMax)
}

class Search<State, Action> {
  readonly #operations: readonly Operation<Action>[]
  readonly #model: Model<State, Action>
  /** Calls and returns of what was answered, and the calls of what was not: those stay, and would be in the way. */
  readonly #answered: Event
  readonly #open: Event
  /** What was reached, by a number that few others share. */
  readonly #seen = new Map<number, Reached[]>()
  #states = 0
  /** Which operations are done, 31 in a number, and the number that is made of them. */
  readonly #done: Int32Array
  #doneHash = 0
  /** Of every operation: equal for those whose actions are alike. */
  readonly #alike: readonly number[]
  /** The calls that have taken effect, in that order. */
  readonly #order: Event[] = []
  #longest: readonly number[] = []
  /** Operations that must be explained and are not yet. */
  #owed: number

  constructor(operations: readonly Operation<Action>[], model: Model<State, Action>) {
    this.#operations = operations
    this.#model = model
    const events = eventsOf(operations)
    this.#answered = listOf(events.filter(({ isCall, returned }) => !isCall || returned !== null))
    this.#open = listOf(events.filter(({ isCall, returned }) => isCall && returned === null))
    this.#done = new Int32Array(Math.ceil(operations.length / 31))
    this.#alike = numberAlike(operations)
    this.#owed = operations.filter(({ returnedAt }) => returnedAt < Infinity).length
  }

  run(statesMax: number): Verdict<Action> {
    const places: Place<State>[] = [this.#placeOf(this.#model.initial)]
    while (this.#owed > 0) {
      if (this.#states > statesMax) return { kind: 'undecided', states: this.#states }
      const place = places.at(-1)
      if (place === undefined) return this.#broken()
      const option = this.#nextOption(place)
      if (option === null) {
        places.pop()
        const last = this.#order.pop()
        if (last !== undefined) this.#unlift(last)
        continue
      }
      this.#lift(option.call)
      if (this.#isNew(option.state)) {
        this.#order.push(option.call)
        if (this.#order.length > this.#longest.length) this.#longest = this.#order.map(({ number }) => number)
        places.push(this.#placeOf(option.state))
      } else this.#unlift(option.call)
    }
    return { kind: 'linearizable', order: this.#order.map(({ number }) => this.#operation(number)) }
  }

  /**
   * Only what was called before the first return may be next: that return has waited for its own operation. What must be
   * explained is tried first, by the time at which it must be; of open operations that are alike the first called stands
   * for all, because it can do whatever the others can.
   */
  #placeOf(state: State): Place<State> {
    const owed: Event[] = []
    let event = this.#answered.after
    for (; event !== null && event.isCall; event = event.after) owed.push(event)
    owed.sort((a, b) => (a.returned?.at ?? 0) - (b.returned?.at ?? 0))
    return { state, calls: owed, tried: 0, hasOpen: false, limit: event?.at ?? Infinity, options: [] }
  }

  #openUntil(limit: number): readonly Event[] {
    const open = new Map<number, Event>()
    // Calls come before returns of the same moment.
    for (let event = this.#open.after; event !== null && event.at <= limit; event = event.after) {
      const alike = this.#alike[event.number] ?? -1
      if (!open.has(alike)) open.set(alike, event)
    }
    return [...open.values()]
  }

  #nextOption(place: Place<State>): Option<State> | null {
    while (place.options.length === 0) {
      const call = place.calls[place.tried++]
      if (call === undefined) {
        if (place.hasOpen) return null
        place.calls = this.#openUntil(place.limit)
        place.tried = 0
        place.hasOpen = true
        continue
      }
      for (const state of this.#model.step(place.state, this.#operation(call.number).action))
        place.options.push({ call, state })
    }
    return place.options.shift() ?? null
  }

  #isNew(state: State): boolean {
    const key = this.#model.keyOf(state)
    const reached = this.#seen.get(this.#doneHash)
    if (reached?.some((each) => each.key === key && isSameDone(each.done, this.#done)) === true) return false
    const fresh = { key, done: this.#done.slice() }
    if (reached === undefined) this.#seen.set(this.#doneHash, [fresh])
    else reached.push(fresh)
    this.#states++
    return true
  }

  #broken(): Verdict<Action> {
    const explained = new Set(this.#longest)
    const stuck = this.#operations.filter((_, number) => !explained.has(number))
    return { kind: 'broken', longest: this.#longest.map((number) => this.#operation(number)), stuck }
  }

  #operation(number: number): Operation<Action> {
    const operation = this.#operations[number]
    if (operation === undefined) throw new Error(`there is no operation ${number}`)
    return operation
  }

  #mark(number: number, isDone: boolean): void {
    const place = Math.floor(number / 31)
    const bit = 1 << (number % 31)
    const bits = this.#done[place] ?? 0
    this.#done[place] = isDone ? bits | bit : bits & ~bit
    this.#doneHash ^= scattered(number)
  }

  #lift(call: Event): void {
    this.#mark(call.number, true)
    unlink(call)
    if (call.returned === null) return
    unlink(call.returned)
    this.#owed--
  }

  /** The reverse of `lift`: what was unlinked last is linked first. */
  #unlift(call: Event): void {
    if (call.returned !== null) {
      relink(call.returned)
      this.#owed++
    }
    relink(call)
    this.#mark(call.number, false)
  }
}

/** 32 bits that differ in half of their places from those of other numbers (the finalizer of MurmurHash3). */
function scattered(number: number): number {
  let bits = Math.imul(number + 1, 0x9e3779b9)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

function isSameDone(a: Int32Array, b: Int32Array): boolean {
  for (let place = 0; place < a.length; place++) if (a[place] !== b[place]) return false
  return true
}

function numberAlike(operations: readonly Operation<unknown>[]): readonly number[] {
  const numbers = new Map<string, number>()
  return operations.map(({ action }) => {
    const text = JSON.stringify(action)
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    return number
  })
}

/** In the order of time. Calls come before returns of the same moment. */
function eventsOf(operations: readonly Operation<unknown>[]): readonly Event[] {
  const events: Event[] = []
  for (const [number, { calledAt, returnedAt }] of operations.entries()) {
    const links = { number, before: null, after: null }
    const returned: Event | null =
      returnedAt === Infinity ? null : { ...links, isCall: false, at: returnedAt, returned: null }
    events.push({ ...links, isCall: true, at: calledAt, returned })
    if (returned !== null) events.push(returned)
  }
  return events.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall) || a.number - b.number)
}

/** The events in their order, behind a head of their own. */
function listOf(events: readonly Event[]): Event {
  const head: Event = { number: -1, isCall: false, at: -Infinity, returned: null, before: null, after: null }
  let last = head
  for (const event of events) {
    last.after = event
    event.before = last
    last = event
  }
  return head
}

function unlink(event: Event): void {
  if (event.before !== null) event.before.after = event.after
  if (event.after !== null) event.after.before = event.before
}

function relink(event: Event): void {
  if (event.before !== null) event.before.after = event
  if (event.after !== null) event.after.before = event
}

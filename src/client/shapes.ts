// What an answer has to look like before it is believed. A check narrows `unknown` to the type that http/api.ts promises,
// so the compiler holds the two against each other; fields that a check does not name are not looked at, because a later
// version may add some.

export type Check<Value> = (value: unknown) => value is Value

type Checked<Of> = Of extends Check<infer Value> ? Value : never
type Fields = Readonly<Record<string, Check<unknown>>>

export const isText = (value: unknown): value is string => typeof value === 'string'
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
/** A count, a duration, a token, a sequence: a whole number from 0. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function oneOf<const Texts extends readonly string[]>(texts: Texts): Check<Texts[number]> {
  return (value): value is Texts[number] => texts.some((text) => text === value)
}

export function orNull<Value>(check: Check<Value>): Check<Value | null> {
  return (value): value is Value | null => value === null || check(value)
}

export function listOf<Value>(check: Check<Value>): Check<Value[]> {
  return (value): value is Value[] => Array.isArray(value) && value.every((item) => check(item))
}

type Shape<Required extends Fields, Optional extends Fields> = {
  [Name in keyof Required]: Checked<Required[Name]>
} & { [Name in keyof Optional]?: Checked<Optional[Name]> }

export function shapeOf<Required extends Fields, Optional extends Fields = Record<never, never>>(
  required: Required,
  optional?: Optional,
): Check<Shape<Required, Optional>> {
  const needed = Object.entries(required)
  const allowed = Object.entries(optional ?? {})
  return (value): value is Shape<Required, Optional> => {
    if (!isRecord(value)) return false
    for (const [name, check] of needed) if (!check(value[name])) return false
    for (const [name, check] of allowed) if (value[name] !== undefined && !check(value[name])) return false
    return true
  }
}

// Whether two values of plain data are equal, the order of their fields included: what their JSON would say, without
// making any.

export function isSameData(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!isFields(a) || !isFields(b)) return false
  const names = Object.keys(a)
  const others = Object.keys(b)
  if (names.length !== others.length) return false
  for (let place = 0; place < names.length; place++) {
    const name = names[place] ?? ''
    if (name !== others[place] || !isSameData(a[name], b[name])) return false
  }
  return true
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

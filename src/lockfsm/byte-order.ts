// The order of lock names: that of their UTF-8 bytes, which is the order of their code points. JavaScript compares
// UTF-16 units instead, and the two differ where a surrogate (0xD800-0xDFFF, half of a code point above 0xFFFF) meets
// a unit above the surrogates (0xE000-0xFFFF): the surrogate is the smaller unit but stands for the greater code point.

/** A name and whether the short comparison does for it; the test costs more than a comparison and is made once. */
export interface OrderedName {
  readonly name: string
  /** No unit of the name is 0xD800 or above. */
  readonly plain: boolean
}

export function orderedName(name: string): OrderedName {
  return { name, plain: isPlain(name) }
}

export function isPlain(name: string): boolean {
  return !/[\ud800-\uffff]/.test(name)
}

export function isNameBefore(a: OrderedName, b: OrderedName): boolean {
  // One plain name is enough: where they first differ, its unit is below 0xD800, and there both orders agree.
  return a.plain || b.plain ? a.name < b.name : isBeforeByCodePoints(a.name, b.name)
}

function isBeforeByCodePoints(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const unitOfA = a.charCodeAt(index)
    const unitOfB = b.charCodeAt(index)
    if (unitOfA !== unitOfB) return rank(unitOfA) < rank(unitOfB)
  }
  return a.length < b.length
}

/** Moves the surrogates above all other units and keeps every other order. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2800 : unit
}

// A hash of short texts, to spread them: nothing that is decided depends on it.

/** FNV-1a over the units of the text, 32 bits, mixed so that the low ones do. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash ^ (hash >>> 15)
}

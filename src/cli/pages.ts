// Lists of the API come in pages: this reads as many as are wanted, one after the other.

const pageMax = 1000

export interface PageAsked {
  readonly limit: number
  readonly cursor?: string
}

interface Page<Item> {
  readonly items: readonly Item[]
  readonly cursor: string | null
}

/** `isCut`: there is more than `limit`. */
export async function readPages<Item>(
  limit: number,
  read: (asked: PageAsked) => Promise<Page<Item>>,
): Promise<{ readonly items: readonly Item[]; readonly isCut: boolean }> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: Page<Item> = await read({
      limit: Math.min(pageMax, limit - items.length),
      ...(cursor === null ? {} : { cursor }),
    })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== null && items.length < limit)
  return { items, isCut: cursor !== null }
}

/** Finds what is kept for the folders of a text: with many of them, a look-up is mostly waiting for memory, so it makes few steps into it. */

export interface FolderTable<Kept> {
  /**
   * What is kept for each folder that the text goes through, shortest first; a folder ends with a slash, and `''` is one that
   * every text goes through.
   */
  along(text: string): Kept[]
}

/** A table of what is kept under each folder; it never changes. */
export function createFolderTable<Kept extends { readonly folder: string }>(all: readonly Kept[]): FolderTable<Kept> {
  const everywhere = all.filter(({ folder }) => folder === '')
  const rooms = 2 ** Math.ceil(Math.log2(2 * all.length + 2))
  /** Two numbers for each room: the hash of the folder, and its place in `kept`; 0 where the room is empty. */
  const table = new Int32Array(2 * rooms)
  const kept: (Kept | undefined)[] = [undefined]
  const mask = rooms - 1
  let longest = 0

  for (const each of all) {
    if (each.folder === '') continue
    const hash = hashOf(each.folder)
    let room = roomOf(hash, mask)
    while (table[2 * room + 1] !== 0) room = (room + 1) & mask
    table[2 * room] = hash
    table[2 * room + 1] = kept.length
    kept.push(each)
    longest = Math.max(longest, each.folder.length)
  }

  return {
    along(text) {
      const found = [...everywhere]
      const end = Math.min(text.length, longest)
      let sum = basis
      for (let at = 0; at < end; at++) {
        const code = text.charCodeAt(at)
        sum = grown(sum, code)
        if (code !== slash) continue
        for (let room = roomOf(sum, mask); table[2 * room + 1] !== 0; room = (room + 1) & mask) {
          if (table[2 * room] !== sum) continue
          const each = kept[table[2 * room + 1] as number] as Kept
          if (each.folder.length === at + 1 && text.startsWith(each.folder)) found.push(each)
        }
      }
      return found
    },
  }
}

const slash = 0x2f
const basis = 0x811c9dc5 | 0

/** FNV-1a of 32 bits. Who sends requests can't choose what is in a table, and gains nothing by collisions. */
export function hashOf(text: string): number {
  let sum = basis
  for (let at = 0; at < text.length; at++) sum = grown(sum, text.charCodeAt(at))
  return sum
}

/** The hash of a text that is one character longer. */
function grown(sum: number, code: number): number {
  return Math.imul(sum ^ code, 0x01000193)
}

/** The lower bits of the hash alone are of poor quality. */
function roomOf(sum: number, mask: number): number {
  return (sum ^ sum >>> 15) & mask
}

// A long list in pages, of which there is always one.

export function pageCount(items: number, size: number): number {
  return Math.max(1, Math.ceil(items / size));
}

export function pageOf<Item>(items: readonly Item[], page: number, size: number): Item[] {
  return items.slice(page * size, (page + 1) * size);
}

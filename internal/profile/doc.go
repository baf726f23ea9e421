// Package profile turns data files into binned profiles: how many values fall
// into each bin, how many are missing, and a digest of the file. Files are CSV,
// JSON lines or Parquet.
//
// A file is read from beginning to end for the columns that are asked for, on all
// processors; when other columns are asked for later, once more for all of them. What
// stays in memory is 8 bytes a value of the numeric columns, at most [MaximumNumbers]
// values (2 GiB) a file, and the counts of at most [MaximumCategories] distinct texts of
// a column. While a file is read, CSV takes a few stretches of 1 MiB (a record may have
// 64 MiB), Parquet a page for each processor (at most 256 MiB) and a row group's
// numbers. Files above [MaximumSize] are refused.
//
// Missing values are the texts "", "NA", "N/A", "<NA>", "NaN" and "null" in any
// case, blanks around them apart; null, an absent key and a float that is not a number
// too. They are counted and never dropped in silence; in a CSV file of one column, a
// blank line between values is one of them.
// An infinite value is an error for the methods that need numbers: it has no place
// between edges, and makes mean and standard deviation meaningless.
package profile

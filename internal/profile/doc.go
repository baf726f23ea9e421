// Package profile turns data files into binned profiles: how many values fall
// into each bin, how many are missing, and a digest of the file.
//
// A file is read once, from beginning to end, for all its columns. What stays in
// memory is 8 bytes a value of each numeric column and the counts of at most
// [MaximumCategories] distinct texts of each column, so about the size of the file
// itself or less; files above [MaximumSize] are refused.
//
// Missing values are the texts "", "NA", "N/A", "<NA>", "NaN" and "null" in any
// case, blanks around them apart. They are counted and never dropped in silence; in
// a file of one column, a blank line between values is one of them.
// An infinite value is an error for the methods that need numbers: it has no place
// between edges, and makes mean and standard deviation meaningless.
package profile

//go:build !linux

package sqlite_test

func fillUp(string) { panic("disks are filled on Linux only") }

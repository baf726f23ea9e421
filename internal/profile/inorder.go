package profile

import (
	"runtime"
	"sync"
)

// inOrder runs jobs on all processors and takes their results in the order of the jobs.
// next gives the jobs one after the other, false after the last. An error of take ends
// it; at most a few results wait at a time.
func inOrder[T any](next func() (job func() T, ok bool), take func(T) error) error {
	type task struct {
		job    func() T
		result T
		done   chan struct{}
	}
	workers := runtime.GOMAXPROCS(0)
	tasks, ordered := make(chan *task), make(chan *task, workers)
	stop := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer close(stop)
	running.Go(func() {
		defer close(ordered)
		defer close(tasks)
		for {
			job, ok := next()
			if !ok {
				return
			}
			t := &task{job: job, done: make(chan struct{})}
			for _, to := range []chan *task{ordered, tasks} {
				select {
				case to <- t:
				case <-stop:
					return
				}
			}
		}
	})
	for range workers {
		running.Go(func() {
			for t := range tasks {
				t.result = t.job()
				close(t.done)
			}
		})
	}
	for t := range ordered {
		<-t.done
		if err := take(t.result); err != nil {
			return err
		}
	}
	return nil
}

package port

import "context"

type actorKey struct{}

// WithActor says who asks for what is done with the context, for the history of
// aliases.
func WithActor(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// Actor is who asks, or empty where that is not known.
func Actor(ctx context.Context) string {
	who, _ := ctx.Value(actorKey{}).(string)
	return who
}
